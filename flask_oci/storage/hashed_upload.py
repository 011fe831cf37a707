"""The part of upload files that all storages share: receiving bytes and their hash."""

from __future__ import annotations

import abc
import hashlib

from ..errors import BlobUploadInvalid
from ..errors import SizeInvalid
from ..spec.digest import Digest
from .protocol import Hashed
from .protocol import PIECE
from .protocol import Reader


class HashedUpload(abc.ABC):
    """An upload file that hashes its bytes while they arrive, if it can."""

    hashed: Hashed | None
    """The hash of the first bytes, if it is known without reading them again."""

    @property
    @abc.abstractmethod
    def length(self) -> int:
        """The number of bytes."""

    def append(self, source: Reader, algorithm: str, limit: int | None) -> int:
        """Append a source to the stored bytes; see :class:`UploadFile`."""
        start = self.length
        # No library can resume the state of a hash in another process, so only the
        # first request of an upload hashes its bytes on the way.
        hasher = hashlib.new(algorithm) if start == 0 else None
        while piece := source.read(PIECE):
            if limit is not None and self.length - start + len(piece) > limit:
                raise SizeInvalid("The body is longer than announced.")
            if hasher:
                hasher.update(piece)
            self._receive(piece)
        if hasher:
            self.hashed = Hashed(self.length, Digest(algorithm, hasher.hexdigest()))
        return self.length - start

    def matches(self, digest: Digest) -> bool:
        """Return True if the bytes have this digest, and read them if necessary."""
        known = self.hashed
        if (
            known is None
            or known.length != self.length
            or known.digest.algorithm != digest.algorithm
        ):
            known = Hashed(self.length, self._digest(digest.algorithm))
            self.hashed = known
        return known.digest == digest

    @abc.abstractmethod
    def _receive(self, piece: bytes) -> None:
        """Add bytes to the end."""

    @abc.abstractmethod
    def _digest(self, algorithm: str) -> Digest:
        """Read all bytes, and return their digest."""


def busy(uuid: str) -> BlobUploadInvalid:
    """Return the error for a session that another request writes to."""
    return BlobUploadInvalid(
        "Another request is writing to this upload; wait until it ends.",
        detail=uuid,
        status=416,
    )
