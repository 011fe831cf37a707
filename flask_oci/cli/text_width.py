"""Text that fits the columns of a terminal."""

from __future__ import annotations

import shutil
import sys
import typing as t
import unicodedata
from collections.abc import Sequence

Line = Sequence[str]

#: The space between two columns of a table.
GAP: t.Final = "   "

#: The smallest width to which a column is cut.
_NARROW: t.Final = 8


def terminal_width() -> int | None:
    """Return the number of columns of the terminal, or None without one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def width(text: str) -> int:
    """Return the number of columns that a text needs (Unicode, annex 11)."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def pad(text: str, columns: int) -> str:
    """Return a text with spaces up to a width."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """Return a text that needs at most some columns; an ellipsis marks its end."""
    if width(text) <= columns:
        return text
    left = columns - 1
    for place, character in enumerate(text):
        left -= _columns(character)
        if left < 0:
            return text[:place] + "…"
    return text


def fitted(
    lines: Sequence[Line], shorter: Sequence[Line], columns: int
) -> Sequence[Line]:
    """Return the lines of a table that fit some columns.

    :param shorter: the same table with shorter cells, which is used if there is not
        enough room. If there is still too little, its widest columns are cut.
    """
    if _total(_widths(lines)) <= columns:
        return lines
    widths = _widths(lines := shorter)
    while (excess := _total(widths) - columns) > 0 and max(widths) > _NARROW:
        widest = max(widths)
        second = max((w for w in widths if w < widest), default=_NARROW)
        place = widths.index(widest)
        widths[place] = max(_NARROW, min(widest - 1, second), widest - excess)
    return [
        [cut(cell, width) for cell, width in zip(line, widths, strict=True)]
        for line in lines
    ]


def aligned(lines: Sequence[Line]) -> list[str]:
    """Return the lines of a table with aligned columns."""
    widths = _widths(lines)
    return [GAP.join(map(pad, line, widths)).rstrip() for line in lines]


def _widths(lines: Sequence[Line]) -> list[int]:
    return [max(map(width, column)) for column in zip(*lines, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
