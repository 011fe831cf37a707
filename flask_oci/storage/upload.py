"""The file of an upload session, opened and locked by one request."""

from __future__ import annotations

import fcntl
import hashlib
import os
import typing as t

from ..errors import BlobUploadInvalid
from ..errors import BlobUploadUnknown
from ..errors import SizeInvalid
from ..spec.digest import Digest
from . import upload_hash
from .posix import begin_to_write
from .posix import disk
from .posix import lock
from .protocol import Hashed
from .protocol import PIECE
from .protocol import Reader

if t.TYPE_CHECKING:
    from .local import LocalStorage


#: After how many bytes the disk begins to write, so that a flush at the end of a large
#: blob finds little left to wait for.
AHEAD: t.Final = 8 * 1024 * 1024


class LocalUpload:
    """A :class:`~flask_oci.storage.UploadFile` on a local disk.

    :param fd: the opened file, which the maker of this closes.
    :param storage: where it becomes a blob.
    :param uuid: the session.
    """

    @disk
    def __init__(self, fd: int, storage: LocalStorage, uuid: str) -> None:
        self._fd = fd
        self._storage = storage
        self._uuid = uuid
        self.length = self._begun = os.lseek(fd, 0, os.SEEK_END)
        self.hashed = self._noted = storage.hashed(uuid)

    def append(self, source: Reader, algorithm: str, limit: int | None) -> int:
        """Write ``source`` behind what is there; see :class:`UploadFile`."""
        start = self.length
        # A hash cannot be taken up again where another process left it, so
        # only an upload's first piece is hashed while it passes.
        hasher = hashlib.new(algorithm) if start == 0 else None
        while piece := source.read(PIECE):
            if limit is not None and self.length - start + len(piece) > limit:
                raise SizeInvalid("There is more content than was announced.")
            if hasher:
                hasher.update(piece)
            self._write(piece)
        if hasher:
            self.hashed = Hashed(self.length, Digest(algorithm, hasher.hexdigest()))
        return self.length - start

    @disk
    def truncate(self, length: int) -> None:
        """Take back what was appended behind ``length`` bytes."""
        # A rename that is said to have failed may have been done all the same.
        if not self._storage.has_upload(self._uuid):
            return
        if self._noted is not None and length < self._noted.length:
            # Other bytes may follow, which it does not speak of.
            upload_hash.remove(self._storage.note_path(self._uuid))
            self.hashed = self._noted = None
        os.ftruncate(self._fd, length)
        self.length = self._begun = os.lseek(self._fd, length, os.SEEK_SET)

    @disk
    def sync(self) -> None:
        """Return when the bytes would survive a power cut; see :class:`UploadFile`."""
        try:
            os.fsync(self._fd)
        except OSError:
            # What could not be written is forgotten, and the next call succeeds.
            self._storage.discard_upload(self._uuid)
            raise
        if self.hashed is not None and self.hashed != self._noted:
            upload_hash.write(self._storage.note_path(self._uuid), self.hashed)
            self._noted = self.hashed

    @disk
    def matches(self, digest: Digest) -> bool:
        """Tell whether the bytes have this digest, reading them if need be."""
        known = self.hashed
        if (
            known is None
            or known.length != self.length
            or known.digest.algorithm != digest.algorithm
        ):
            known = Hashed(self.length, self._digest(digest.algorithm))
            self.hashed = known
        return known.digest == digest

    @disk
    def commit(self, digest: Digest) -> None:
        """Make the bytes the blob of that digest, durably, and end the session."""
        # What is noted has been flushed, maybe by an earlier request.
        if self._noted != Hashed(self.length, digest):
            self.sync()
        self._storage.promote(self._uuid, digest)
        self._storage.sync_blob(digest)

    @disk
    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            written = os.write(self._fd, view)
            self.length += written
            view = view[written:]
        if self.length - self._begun >= AHEAD:
            begin_to_write(self._fd, self._begun, self.length)
            self._begun = self.length

    def _digest(self, algorithm: str) -> Digest:
        hasher = hashlib.new(algorithm)
        position = 0
        while piece := os.pread(self._fd, PIECE, position):
            hasher.update(piece)
            position += len(piece)
        return Digest(algorithm, hasher.hexdigest())


@disk
def lock_upload(fd: int, path: str, uuid: str) -> None:
    """Lock the file of a session, for as long as ``fd`` is open.

    :raises BlobUploadInvalid: when another request holds it.
    :raises BlobUploadUnknown: when it has ceased to be the session's.
    """
    try:
        lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlobUploadInvalid(
            "Another request is writing to this upload; wait for its answer.",
            detail=uuid,
            status=416,
        ) from None
    # Between opening and locking, the one who held it may have made it a blob.
    try:
        same = os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        same = False
    if not same:
        raise BlobUploadUnknown(detail=uuid)
