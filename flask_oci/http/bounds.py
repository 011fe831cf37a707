"""Bounds of numbers that clients send, so that every database can compare them."""

from __future__ import annotations

import typing as t

#: The largest key of most tables, and of the events.
MOST_ROWS: t.Final = 2**31 - 1
MOST_EVENTS: t.Final = 2**63 - 1


def number(text: str, most: int = MOST_ROWS) -> int | None:
    """Return what is a number from 0 to ``most``; a database cannot compare others."""
    found = int(text) if text.isdecimal() and len(text) < 20 else None
    return found if found is not None and found <= most else None
