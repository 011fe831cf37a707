"""Streams of blobs for clients: from a download of this or of another process, or from
the storage."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from .download import Download
from .failures import UNREACHABLE
from .failures import UpstreamFailed

#: The number of bytes that are read at a time.
PIECE: t.Final = 256 * 1024

#: The pause between two looks at the file of another process, in seconds.
PAUSE: t.Final = 0.05

#: The time without new bytes after which the lease of another process is checked, in
#: seconds.
IDLE: t.Final = 2.0

#: The number of downloads that one response may continue with, after their processes
#: were killed.
MAX_STREAMS: t.Final = 5


class BlobStream(t.Protocol):
    """The bytes of a blob, while they arrive."""

    def read(self, position: int, size: int) -> bytes:
        """Return at most ``size`` bytes from a position; none if the stream has ended
        before the blob, because its process was killed.

        :raises UpstreamFailed: if the upstream does not send the bytes.
        """

    def close(self) -> None:
        """Close the file."""


class StoredStream:
    """A blob that is stored.

    :param file: its file, which the stream closes.
    """

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file

    def read(self, position: int, size: int) -> bytes:
        """Return bytes; see :class:`BlobStream`."""
        self._file.seek(position)
        return self._file.read(size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class DownloadStream(StoredStream):
    """A download of this process.

    :param file: its file, which the stream closes.
    """

    def __init__(self, file: t.BinaryIO, download: Download) -> None:
        super().__init__(file)
        self._download = download
        self._timeout = 3 * download.wanted.upstream.timeout.total_seconds()

    def read(self, position: int, size: int) -> bytes:
        """Return bytes; see :class:`BlobStream`."""
        found = self._download.available(position, self._timeout)
        return super().read(position, min(found, size))


class RemoteStream(StoredStream):
    """A download of another process, which writes a file that both can read.

    :param file: its file, which the stream closes.
    :param size: the size of the blob in bytes.
    :param is_leased: returns False if the other process has ended.
    :param limit: the time limit of the download in seconds.
    """

    def __init__(
        self,
        file: t.BinaryIO,
        size: int,
        is_leased: Callable[[], bool],
        limit: float,
    ) -> None:
        super().__init__(file)
        self._size = size
        self._is_leased = is_leased
        self._end_at = time.monotonic() + limit

    def read(self, position: int, size: int) -> bytes:
        """Return bytes; see :class:`BlobStream`."""
        looked_at = time.monotonic()
        while not (piece := super().read(position, size)):
            time.sleep(PAUSE)
            now = time.monotonic()
            if now > self._end_at:
                raise UpstreamFailed(UNREACHABLE, "No bytes of a blob arrive.")
            if now - looked_at >= IDLE:
                looked_at = now
                if not self._is_leased():
                    # Its last bytes may have been written since then.
                    return super().read(position, size)
        return piece


def pieces(
    first: BlobStream, reopen: Callable[[], BlobStream], start: int, stop: int
) -> Iterator[bytes]:
    """Yield the bytes of a blob.

    :param first: the stream to begin with.
    :param reopen: returns another stream when one has ended early.
    :param start: the position of the first byte.
    :param stop: the position after the last byte.
    """
    stream, position = first, start
    try:
        for _ in range(MAX_STREAMS):
            while position < stop:
                piece = stream.read(position, min(PIECE, stop - position))
                if not piece:
                    break
                position += len(piece)
                yield piece
            if position == stop:
                return
            stream.close()
            stream = reopen()
        raise UpstreamFailed(UNREACHABLE, "The fetch of a blob is interrupted.")
    finally:
        stream.close()
