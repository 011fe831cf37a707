"""A bounded set whose entries expire."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import OrderedDict

#: The maximum number of entries.
MAX_ENTRIES: t.Final = 10_000


class ExpiringSet:
    """References about which an upstream is not asked again for a while.

    :param lifetime: the time in seconds after which an entry expires.
    """

    def __init__(self, lifetime: float) -> None:
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._until: OrderedDict[t.Hashable, float] = OrderedDict()

    def add(self, key: t.Hashable) -> None:
        """Add an entry, or prolong it."""
        with self._lock:
            self._until[key] = time.monotonic() + self._lifetime
            self._until.move_to_end(key)
            while len(self._until) > MAX_ENTRIES:
                self._until.popitem(last=False)

    def discard(self, key: t.Hashable) -> None:
        """Delete an entry, if it exists."""
        with self._lock:
            self._until.pop(key, None)

    def __contains__(self, key: t.Hashable) -> bool:
        with self._lock:
            return time.monotonic() < self._until.get(key, 0.0)
