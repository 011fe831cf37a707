"""Repositories that this process has pushed to, whose sizes have to be recorded.

A sum of all blobs at each push would make pushes to a large repository slow. The
repositories are therefore collected in memory, and measured together later. The garbage
collection measures those that a killed process did not.
"""

from __future__ import annotations

import typing as t
from threading import Lock

#: The maximum number of repositories that are kept in memory.
MAX_ENTRIES: t.Final = 10_000


class RecentPushes:
    """A bounded set of repositories, by key. It is safe to use from any number of
    threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, *repository_ids: int) -> None:
        """Add repositories, unless the set is full."""
        with self._lock:
            if len(self._keys) < MAX_ENTRIES:
                self._keys.update(repository_ids)

    def take(self) -> set[int]:
        """Return the repositories, and empty the set."""
        with self._lock:
            keys, self._keys = self._keys, set()
            return keys
