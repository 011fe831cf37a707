"""The report of a run: kills, faults, pushes, and losses."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections import defaultdict

#: The number of events of each kind, by database.
COUNTS: defaultdict[str, Counter[str]] = defaultdict(Counter)

KINDS: t.Final = (
    *("kills", "faults", "collections", "pushes", "mounts", "deletes", "pulls"),
    *("broken bodies", "wrong digests", "retries", "rivals", "checks"),
)


def lines() -> list[str]:
    """Return a line for each database.

    A loss ends its test, so losses are counted as failed tests.
    """
    return [
        f"{database}: {', '.join(f'{counts[kind]} {kind}' for kind in KINDS)}"
        for database, counts in sorted(COUNTS.items())
    ]
