"""The table as a plot of the ratios to the first registry."""

from __future__ import annotations

import math
import typing as t
from html import escape

if t.TYPE_CHECKING:
    from .row import Row
    from .server import Server
    from .table import Table

#: In pixels.
WIDTH: t.Final = 760
LABELS: t.Final = 300
BAR: t.Final = 12
HEAD: t.Final = 66

#: The number of names side by side.
NAMES: t.Final = 3

#: The ends of the scale, which doubles at each step.
LEAST: t.Final = 1 / 16
MOST: t.Final = 16

COLOURS: t.Final = ("#3b82b6", "#e0a33a", "#3d9970", "#a05195", "#8c8c8c")


def svg(rows: t.Sequence[Row], servers: t.Sequence[Server], table: Table) -> str:
    """Draw a bar for each row and each registry except the first, which is the line in
    the middle. Longer to the right is always better.

    :param servers: the others are compared with the first.
    """
    first, *others = servers
    compared = [row for row in rows if (row.key, first.name) in table]
    step = BAR * len(others) + 10
    parts = list(_scale(first.name, len(compared) * step))
    for number, server in enumerate(others):
        colour = COLOURS[number % len(COLOURS)]
        down, along = divmod(number, NAMES)
        x = 8 + along * WIDTH / NAMES
        parts.append(_text(x, 14 + down * 16, server.name, colour))
    for place, row in enumerate(compared):
        top = HEAD + place * step
        parts.append(_text(LABELS - 8, top + step / 2, row.title, "#333", "end"))
        for number, server in enumerate(others):
            cell = table.get((row.key, server.name))
            if cell is not None:
                ratio = cell.value / table[row.key, first.name].value
                better = 1 / ratio if row.less_is_better else ratio
                colour = COLOURS[number % len(COLOURS)]
                parts.append(_bar(better, ratio, top + number * BAR, colour))
    height = HEAD + len(compared) * step + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="11">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _scale(name: str, height: int) -> t.Iterator[str]:
    exponent = round(math.log2(LEAST))
    for power in range(exponent, -exponent + 1, 2):
        x = _x(2.0**power)
        colour = "#333" if power == 0 else "#ddd"
        yield (
            f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{HEAD - 6}" y2="{HEAD + height}"'
            f' stroke="{colour}"/>'
        )
        label = name if power == 0 else f"{2.0**power:g}"
        yield _text(x, HEAD - 12, label, "#333", "middle")


def _bar(better: float, ratio: float, top: float, colour: str) -> str:
    start, end = sorted((_x(1), _x(better)))
    label = f"{ratio:.2f}"
    return (
        f'<rect x="{start:.0f}" y="{top:.0f}" width="{end - start:.0f}"'
        f' height="{BAR - 2}" fill="{colour}"/>'
    ) + _text(end + 4, top + BAR - 3, label, "#333")


def _x(ratio: float) -> float:
    clipped = min(max(ratio, LEAST), MOST)
    share = math.log(clipped / LEAST) / math.log(MOST / LEAST)
    return LABELS + share * (WIDTH - LABELS - 40)


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
