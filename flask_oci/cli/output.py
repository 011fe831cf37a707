"""How a command writes what it found: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Sequence
from datetime import datetime

import click

from .common import printable


def as_json(value: object) -> None:
    """Write a JSON document; moments are in ISO 8601 and have their time zone."""
    click.echo(json.dumps(value, default=datetime.isoformat))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows below the names of their columns; nothing where there are none."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    if not texts:
        return
    lines = [[head.upper() for head in heads], *texts]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("   ".join(cells).rstrip())


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Write names and values, one pair a line, without those that say nothing."""
    for name, value in pairs:
        if value not in (None, ""):
            click.echo(f"{name + ':':<14} {printable(str(value))}")


def section(title: str) -> None:
    """Write the heading of a part."""
    click.echo(f"\n{title}")


def minute(moment: datetime) -> str:
    """Write a moment to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def none_found(message: str) -> None:
    """Tell a person that a list is empty, beside the output that a script reads."""
    click.echo(message, err=True)
