"""The store of a read cache: values of one version of the database."""

from __future__ import annotations

import typing as t
from threading import Lock

#: The maximum number of values, and of bytes of their texts and contents.
MAX_ENTRIES: t.Final = 4096
MAX_BYTES: t.Final = 8 * 1024 * 1024

#: The result of :meth:`Store.get` if there is no value; None is a value.
MISSING: t.Final = object()

#: The version of a database: equal only if no transaction was committed in between.
Version: t.TypeAlias = tuple[t.Any, ...]
Key: t.TypeAlias = tuple[t.Hashable, ...]


class _Values(t.NamedTuple):
    version: Version | None
    by_key: dict[Key, t.Any]


class Store:
    """Values of one version of a database.

    It is safe to use from any number of threads.

    :param max_entries: the maximum number of values.
    :param max_bytes: the maximum size of all values in bytes.
    """

    def __init__(
        self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._bytes = 0
        # One attribute, so that a thread never sees the values of another version.
        self._values = _Values(None, {})

    def get(self, version: Version, key: Key) -> t.Any:
        """Return a value, or :data:`MISSING`."""
        values = self._values
        if values.version != version:
            return MISSING
        return values.by_key.get(key, MISSING)

    def put(self, version: Version, key: Key, value: t.Any) -> None:
        """Keep a value, unless another thread keeps one at this moment. Values of other
        versions are dropped, and so are all values if there are too many."""
        size = size_of(key) + size_of(value)
        if size > self._max_bytes // 8:
            return
        # Without the value, the next read executes a statement. To wait for the lock
        # would take for ever in a child process whose parent held it when it forked.
        if not self._lock.acquire(blocking=False):
            return
        try:
            is_full = (
                len(self._values.by_key) >= self._max_entries
                or self._bytes + size > self._max_bytes
            )
            if is_full or self._values.version != version:
                self._values, self._bytes = _Values(version, {}), 0
            self._values.by_key[key] = value
            self._bytes += size
        finally:
            self._lock.release()


def size_of(value: t.Any) -> int:
    """Return about how many bytes a value takes."""
    if isinstance(value, (str, bytes)):
        return len(value) + 50
    if isinstance(value, (tuple, list)):
        return 50 + sum(map(size_of, value))
    return 50
