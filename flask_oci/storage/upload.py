"""Upload files: the bytes of an upload session, opened and locked by one request."""

from __future__ import annotations

import fcntl
import hashlib
import os
import typing as t

from ..errors import BlobUploadUnknown
from ..spec.digest import Digest
from . import upload_hash
from .hashed_upload import busy
from .hashed_upload import HashedUpload
from .place import Place
from .posix import begin_to_write
from .posix import disk
from .posix import lock
from .protocol import Hashed
from .protocol import PIECE

if t.TYPE_CHECKING:
    from .local import LocalStorage


#: The number of bytes after which the disk is asked to write, so that the flush at the
#: end of a large blob waits for little.
AHEAD: t.Final = 8 * 1024 * 1024


class LocalUpload(HashedUpload):
    """A :class:`~flask_oci.storage.UploadFile` on a local disk.

    :param fd: the opened file, which the caller closes.
    :param storage: the storage in which it becomes a blob.
    :param uuid: the id of the session.
    """

    @disk
    def __init__(self, fd: int, storage: LocalStorage, uuid: str) -> None:
        self._fd = fd
        self._storage = storage
        self._uuid = uuid
        self._room = 0
        self._length = self._begun = os.lseek(fd, 0, os.SEEK_END)
        self.hashed = self._noted = storage.hashed(uuid)

    @property
    def length(self) -> int:
        """The number of stored bytes, also after a crash."""
        return self._length

    @disk
    def truncate(self, length: int) -> None:
        """Cut the bytes to ``length``; see :class:`UploadFile`."""
        # A rename that reported an error may have happened nevertheless.
        if not self._storage.has_upload(self._uuid):
            return
        if self._noted is not None and length < self._noted.length:
            # Other bytes may follow, which the saved hash does not cover.
            upload_hash.remove(self._storage.note_path(self._uuid))
            self.hashed = self._noted = None
        os.ftruncate(self._fd, length)
        self._length = self._begun = os.lseek(self._fd, length, os.SEEK_SET)

    @disk
    def sync(self, *, is_last: bool = False) -> None:
        """Flush the bytes to the disk; see :class:`UploadFile`."""
        try:
            os.fsync(self._fd)
        except OSError:
            # Linux drops the pages that it could not write, and the next call succeeds.
            self._storage.discard_upload(self._uuid)
            raise
        if self.hashed is not None and self.hashed != self._noted:
            upload_hash.write(self._storage.note_path(self._uuid), self.hashed)
            self._noted = self.hashed

    @disk
    def commit(self, digest: Digest) -> Place:
        """Turn the bytes into the blob of a digest, durably, and end the session."""
        # The bytes that a saved hash covers have been flushed before.
        if self._noted != Hashed(self.length, digest):
            self.sync()
        self._storage.promote(self._uuid, digest)
        self._storage.sync_blob(digest)
        return Place(digest, self.length)

    def is_sealed(self, digest: Digest) -> bool:
        """Return False: a session with its last bytes has become a blob, and cannot be
        opened; see :meth:`Storage.resume_commit`."""
        return False

    @disk
    def _receive(self, piece: bytes) -> None:
        if self._room < len(piece):
            # Other uploads fill the disk as well, so the space is looked up again.
            self._room = min(self._storage.room_for(len(piece)), AHEAD)
        self._room -= len(piece)
        view = memoryview(piece)
        while view:
            written = os.write(self._fd, view)
            self._length += written
            view = view[written:]
        if self.length - self._begun >= AHEAD:
            begin_to_write(self._fd, self._begun, self.length)
            self._begun = self.length

    @disk
    def _digest(self, algorithm: str) -> Digest:
        hasher = hashlib.new(algorithm)
        position = 0
        while piece := os.pread(self._fd, PIECE, position):
            hasher.update(piece)
            position += len(piece)
        return Digest(algorithm, hasher.hexdigest())


@disk
def lock_upload(fd: int, path: str, uuid: str) -> None:
    """Lock the file of a session until ``fd`` is closed.

    :raises BlobUploadInvalid: if another request holds the lock.
    :raises BlobUploadUnknown: if the file is no longer that of the session.
    """
    try:
        lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise busy(uuid) from None
    # Between opening and locking, another request may have turned it into a blob.
    try:
        same = os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        same = False
    if not same:
        raise BlobUploadUnknown(detail=uuid)
