"""The table as text, for a terminal or for the documentation."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .row import Row
    from .server import Server
    from .table import Cell
    from .table import Table


def text(rows: t.Sequence[Row], servers: t.Sequence[Server], table: Table) -> str:
    """Return medians, and their ratios to the first registry, as a table.

    :param servers: the others are compared with the first.
    """
    names = [server.name for server in servers]
    lines = [["row", "unit", *names]]
    for row in rows:
        cells = [table.get((row.key, name)) for name in names]
        lines.append([row.title, row.unit, *_values(cells)])
    return "\n".join(_aligned(lines))


def processors(rows: t.Sequence[Row], servers: t.Sequence[Server], table: Table) -> str:
    """Return the processor time of each request, image or MiB, in milliseconds."""
    names = [server.name for server in servers]
    lines = [["CPU, ms each", "", *names]]
    for row in rows:
        cells = [table.get((row.key, name)) for name in names]
        lines.append(
            [row.title, "ms", *(f"{c.milliseconds:.2f}" if c else "-" for c in cells)]
        )
    return "\n".join(_aligned(lines))


def _values(cells: list[Cell | None]) -> list[str]:
    first = cells[0]
    return [
        "-"
        if cell is None
        else _number(cell.value)
        if first is None or cell is first
        else f"{_number(cell.value)} ({cell.value / first.value:.2f})"
        for cell in cells
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
