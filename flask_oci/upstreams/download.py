"""Downloads of blobs, each in a thread of its own.

The bytes are stored while they arrive. A client reads them from the stored file, so
that a slow client does not delay the others, and a client that leaves does not end the
download.
"""

from __future__ import annotations

import threading
import time
import typing as t
from collections.abc import Callable
from contextlib import suppress

from ..core.blob_content import verify
from ..errors import DigestInvalid
from ..errors import SizeInvalid
from ..storage.protocol import PIECE
from ..transfer.remote.guard import deadline
from .failures import INVALID
from .failures import UNREACHABLE
from .failures import UpstreamFailed

if t.TYPE_CHECKING:
    from ..storage import Storage
    from ..storage import UploadFile
    from .wanted_blob import WantedBlob

#: How long the lease of a download lasts if its process is killed, and after how long
#: it is renewed, in seconds.
LEASE: t.Final = 12
RENEW: t.Final = 3.0


class Source(t.Protocol):
    """The bytes of a blob at the upstream."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and an empty value at the end."""

    def close(self) -> None:
        """Close the connection."""


class Download:
    """A download that runs, or has ended.

    :param wanted: the blob.
    :param uuid: the upload session that receives the bytes.
    """

    def __init__(self, wanted: WantedBlob, uuid: str) -> None:
        self.wanted = wanted
        self.uuid = uuid
        self._changed = threading.Condition()
        self._length = 0
        self._is_verified = False
        self._is_done = False
        self._error: BaseException | None = None

    def run(
        self,
        storage: Storage,
        source: Source,
        keep: Callable[[UploadFile], object],
        renew: Callable[[], object],
    ) -> None:
        """Store the bytes of the upstream, and verify them.

        :param keep: records the verified bytes as a blob.
        :param renew: prolongs the lease of the download.
        """
        wanted = self.wanted
        with storage.open_upload(self.uuid) as upload:
            reader = _Watched(source, upload, self, renew)
            with (
                deadline(wanted.upstream.fetch_timeout.total_seconds()),
                suppress(SizeInvalid),
            ):
                upload.append(reader, wanted.digest.algorithm, wanted.size)
            if reader.length != wanted.size:
                raise UpstreamFailed(
                    INVALID,
                    f"{wanted.digest} has {reader.length} bytes or more instead of"
                    f" {wanted.size}.",
                )
            try:
                verify(upload, wanted.digest)
            except DigestInvalid as error:
                raise UpstreamFailed(
                    INVALID, f"The content of {wanted.digest} differs."
                ) from error
            # A client need not wait until the bytes are kept.
            self._change(is_verified=True)
            keep(upload)

    def advance(self, length: int) -> None:
        """Tell the clients how many bytes are stored."""
        self._change(length=length)

    def end(self, error: BaseException | None) -> None:
        """Tell the clients that the download has ended."""
        self._change(is_done=True, error=error)

    def wait(self, timeout: float) -> None:
        """Wait until the bytes are kept, or the download has failed.

        :param timeout: the time to wait in seconds.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_done, timeout)

    def _change(self, **values: t.Any) -> None:
        with self._changed:
            for name, value in values.items():
                setattr(self, f"_{name}", value)
            self._changed.notify_all()

    def available(self, position: int, timeout: float) -> int:
        """Wait for bytes after a position, and return how many there are.

        The last byte is withheld until the digest is verified, so that no client takes
        other bytes for the blob.

        :param timeout: the time to wait in seconds.
        :raises UpstreamFailed: if the download failed, or nothing arrives in time.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_done or self._readable() > position, timeout
            )
            if self._error is not None and not self._is_verified:
                raise self._error
            found = self._readable() - position
        if found <= 0 and not self._is_done:
            raise UpstreamFailed(UNREACHABLE, "No bytes of a blob arrive.")
        return max(found, 0)

    def _readable(self) -> int:
        if self._is_verified:
            return self.wanted.size
        return min(self._length, self.wanted.size - 1)


class _Watched:
    """A source that reports the progress, and renews the lease."""

    def __init__(
        self,
        source: Source,
        upload: UploadFile,
        download: Download,
        renew: Callable[[], object],
    ) -> None:
        self._source = source
        self._upload = upload
        self._download = download
        self._renew = renew
        now = time.monotonic()
        self.length = 0
        self._renew_at = now + RENEW
        self._end_at = now + download.wanted.upstream.fetch_timeout.total_seconds()

    def read(self, size: int, /) -> bytes:
        """Return the next bytes. The earlier ones have been written."""
        self._download.advance(self._upload.length)
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew()
            self._renew_at = now + RENEW
        if now >= self._end_at:
            raise UpstreamFailed(UNREACHABLE, "The fetch of a blob takes too long.")
        piece = self._source.read(min(size, PIECE))
        self.length += len(piece)
        return piece
