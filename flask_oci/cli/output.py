"""The output of commands: tables for users, JSON for programs."""

from __future__ import annotations

import json
import re
import textwrap
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence
from datetime import datetime

import click

from ..clock import utcnow
from . import text_width
from .common import printable
from .digests import short
from .text_width import Line

#: The smallest width of the names in front of values.
_NAMES: t.Final = 14

#: A digest in a text.
_DIGEST: t.Final = re.compile(
    r"\bsha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})\b", re.ASCII
)

#: The smallest width of wrapped values.
_VALUES: t.Final = 20


def as_json(value: object) -> None:
    """Print a JSON document; times are in ISO 8601, with their time zone."""
    click.echo(json.dumps(value, default=datetime.isoformat))


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, indent: str = ""
) -> None:
    """Print rows below the column names; print nothing without rows.

    At a terminal, the table is as wide as the terminal at most: digests and times
    become short, and long cells are cut. Elsewhere, such as in a pipe, the cells are
    complete.
    """
    found = list(rows)
    if not found:
        return
    head = [head.upper() for head in heads]
    lines: Sequence[Line] = [head, *([_shown(cell) for cell in row] for row in found)]
    columns = text_width.terminal_width()
    if columns is not None:
        shorter = [head, *([_shortened(cell) for cell in row] for row in found)]
        lines = text_width.fitted(lines, shorter, columns - len(indent))
    for line in text_width.aligned(lines):
        click.echo(indent + line)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line, without empty values.

    At a terminal, long values continue below their beginning.
    """
    found = [
        (printable(f"{name}:"), _shown(value))
        for name, value in pairs
        if value not in (None, "")
    ]
    names = max([_NAMES, *(text_width.width(name) for name, _ in found)])
    columns = text_width.terminal_width()
    for name, value in found:
        start = text_width.pad(name, names) + " "
        if columns is not None and columns - len(start) >= _VALUES:
            value = textwrap.fill(
                value,
                columns - len(start),
                subsequent_indent=" " * len(start),
                break_long_words=False,
                break_on_hyphens=False,
            ).strip()
        click.echo(start + value)


def section(title: str) -> None:
    """Print the heading of a section."""
    click.echo(f"\n{title}")


def minute(moment: datetime) -> str:
    """Return a time to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def second(moment: datetime) -> str:
    """Return a time to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def none_found(message: str) -> None:
    """Print to the standard error that a list is empty."""
    click.echo(message, err=True)


def _shortened(value: object) -> str:
    """Return a cell of a table that has little room."""
    if isinstance(value, datetime):
        return _age(value)
    return _DIGEST.sub(lambda digest: short(digest[0]), _shown(value))


def _age(moment: datetime) -> str:
    minutes = max(0, int((utcnow() - moment).total_seconds())) // 60
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 24 * 60:
        return f"{minutes // 60} h ago"
    return f"{moment:%Y-%m-%d}"


def _shown(value: object) -> str:
    if value in (None, ""):
        return "-"
    if isinstance(value, datetime):
        return minute(value)
    if isinstance(value, (list, tuple)):
        return printable(" ".join(map(str, value))) or "-"
    return printable(str(value))
