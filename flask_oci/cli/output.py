"""The output of commands: tables for users, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Sequence
from datetime import datetime

import click

from .common import printable


def as_json(value: object) -> None:
    """Print a JSON document; times are in ISO 8601, with their time zone."""
    click.echo(json.dumps(value, default=datetime.isoformat))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below the column names; print nothing without rows."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    if not texts:
        return
    lines = [[head.upper() for head in heads], *texts]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("   ".join(cells).rstrip())


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line, without empty values."""
    for name, value in pairs:
        if value not in (None, ""):
            click.echo(f"{name + ':':<14} {printable(str(value))}")


def section(title: str) -> None:
    """Print the heading of a section."""
    click.echo(f"\n{title}")


def minute(moment: datetime) -> str:
    """Return a time to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def none_found(message: str) -> None:
    """Print to the standard error that a list is empty."""
    click.echo(message, err=True)
