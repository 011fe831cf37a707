"""What was done to the registry, and what it lost, for whoever reads the log."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections import defaultdict

#: How often each kind of thing happened, by database.
COUNTS: defaultdict[str, Counter[str]] = defaultdict(Counter)

KINDS: t.Final = (
    *("kills", "faults", "collections", "pushes", "mounts", "deletes", "pulls"),
    *("broken bodies", "wrong digests", "retries", "rivals", "checks"),
)


def lines() -> list[str]:
    """Return a line for each database.

    A loss ends its test, so what is lost is counted in tests that failed.
    """
    return [
        f"{database}: {', '.join(f'{counts[kind]} {kind}' for kind in KINDS)}"
        for database, counts in sorted(COUNTS.items())
    ]
