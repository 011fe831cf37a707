"""Bounds of numbers that clients send, so that every database can compare them."""

from __future__ import annotations

import typing as t

#: The largest primary key of most tables, and of the events table.
MOST_ROWS: t.Final = 2**31 - 1
MOST_EVENTS: t.Final = 2**63 - 1


def number(text: str, most: int = MOST_ROWS) -> int | None:
    """Return the number that a text contains, or None if it is not from 0 to ``most``.

    :param most: the largest number that the database can compare.
    """
    found = int(text) if text.isdecimal() and len(text) < 20 else None
    return found if found is not None and found <= most else None
