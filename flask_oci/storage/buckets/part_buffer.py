"""The bytes of one part, in memory."""

from __future__ import annotations

import typing as t

#: The number of bytes up to which a buffer grows step by step. A larger one has room
#: for a whole part: a bytearray that grows reserves an eighth more, and is copied.
SMALL: t.Final = 1024 * 1024


class PartBuffer:
    """Bytes in memory, at most as many as a part has.

    :param size: the size of a part in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._bytes = bytearray()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, view: memoryview) -> int:
        """Add bytes as long as there is room, and return the number of added ones."""
        start, end = self._length, min(self._length + len(view), self._size)
        if end > len(self._bytes):
            self._grow(end)
        with memoryview(self._bytes) as room:
            room[start:end] = view[: end - start]
        self._length = end
        return end - start

    def content(self) -> bytearray:
        """Return the bytes, not a copy: they change with the next ones."""
        del self._bytes[self._length :]
        return self._bytes

    def clear(self) -> None:
        """Drop the bytes, and keep the memory for the next part."""
        self._length = 0

    def _grow(self, end: int) -> None:
        larger = bytearray(self._size if end > SMALL else min(2 * end, self._size))
        larger[: self._length] = self._bytes[: self._length]
        self._bytes = larger
