"""The number of examples of a property."""

from __future__ import annotations

from tests.support.host import DATABASE_URL


def examples(number: int) -> int:
    """Return how many examples a test gets: a third of them on a database server, where
    each takes several times as long."""
    return number // 3 if DATABASE_URL else number
