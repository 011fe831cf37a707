"""Objects as files: reading from any position, with few requests and little memory."""

from __future__ import annotations

import io
import os
import typing as t
from contextlib import suppress

from ...errors import Unavailable

if t.TYPE_CHECKING:
    from .protocol import Body
    from .protocol import Bucket

#: The number of bytes of the first request. Each following one asks for twice as many,
#: because a client that reads on usually reads to the end.
FIRST_WINDOW: t.Final = 1024 * 1024
LAST_WINDOW: t.Final = 64 * 1024 * 1024


class ObjectTooShort(OSError, EOFError):
    """An object has fewer bytes than its row says."""


class BucketFile(io.RawIOBase):
    """An object that is read as a file. It holds no more bytes than a caller asks for.

    :param bucket: the bucket that has the object.
    :param key: its key.
    :param size: its size in bytes.
    """

    def __init__(self, bucket: Bucket, key: str, size: int) -> None:
        self._bucket = bucket
        self._key = key
        self._size = size
        self._position = 0
        self._body: Body | None = None
        self._body_start = self._body_at = self._body_stop = 0
        self._window = FIRST_WINDOW

    def begin(self, start: int, stop: int) -> None:
        """Request bytes that will be read, with one request for all of them.

        :param start: the position of the first byte, which becomes the position.
        :param stop: the position after the last one.
        :raises FileNotFoundError: if the object is absent.
        :raises Unavailable: if the store does not answer.
        """
        self._position = start
        if start < stop:
            self._request(stop)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position. The next read begins a request there."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        self._position = max(base[whence] + offset, 0)
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most ``size`` bytes, and an empty value at the end."""
        left = max(self._size - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        found = bytearray()
        while len(found) < wanted:
            piece = self._piece(wanted - len(found))
            if not piece:
                raise ObjectTooShort(f"The object {self._key} ends too early.")
            found += piece
        return bytes(found)

    def readall(self) -> bytes:
        """Return all bytes up to the end."""
        return self.read()

    def readinto(self, buffer: t.Any, /) -> int:
        """Fill a buffer, and return the number of bytes."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Close the connection."""
        self._drop()
        super().close()

    def _piece(self, size: int) -> bytes:
        if self._body is None or self._body_at != self._position:
            self._window = FIRST_WINDOW if self._body is None else self._window
            self._request(max(self._position + self._window, self._position + size))
        elif self._body_at == self._body_stop:
            self._window = min(self._window * 2, LAST_WINDOW)
            self._request(self._position + self._window)
        piece = self._read_body(min(size, self._body_stop - self._body_at))
        self._position += len(piece)
        self._body_at = self._position
        return piece

    def _read_body(self, size: int) -> bytes:
        try:
            return t.cast("Body", self._body).read(size)
        except Unavailable:
            # Stores and proxies end connections that are idle, because the client is
            # slow, or that are old. A request without any byte is not repeated.
            if self._body_at == self._body_start:
                raise
        self._request(self._body_stop)
        return t.cast("Body", self._body).read(size)

    def _request(self, stop: int) -> None:
        self._drop()
        stop = min(stop, self._size)
        self._body = self._bucket.get(self._key, self._position, stop)
        self._body_start = self._body_at = self._position
        self._body_stop = stop

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            with suppress(Exception):
                body.close()


class SpoolFile(io.RawIOBase):
    """A reader of a local file that another thread writes.

    :param fd: a descriptor, which the reader closes.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position, from the start."""
        self._position = offset
        return offset

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most ``size`` bytes that are written."""
        wanted = 1024 * 1024 if size is None or size < 0 else size
        piece = os.pread(self._fd, wanted, self._position)
        self._position += len(piece)
        return piece

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed:
            os.close(self._fd)
        super().close()
