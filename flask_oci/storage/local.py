"""Blobs on a local disk.

``blobs/<algorithm>/<first two digits>/<digits>`` holds what was pushed and
``uploads/<uuid>`` what is being pushed. Both are on one file system, so that a
finished upload becomes a blob by a rename: there is never half a blob under a
digest.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import typing as t
from contextlib import contextmanager
from contextlib import suppress

from ..digest import Digest
from ..errors import BlobUploadInvalid
from ..errors import BlobUploadUnknown
from ..errors import SizeInvalid
from .base import Hashed
from .base import PIECE
from .base import Reader

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# The group may read, so that nginx can send the files when it belongs to it.
_FILE_MODE = 0o640
_FOLDER_MODE = 0o750


class LocalUpload:
    """An upload session's file, opened and locked by one request."""

    def __init__(self, storage: LocalStorage, path: str, fd: int) -> None:
        self._storage = storage
        self._path = path
        self._fd = fd
        self.length = os.lseek(fd, 0, os.SEEK_END)
        self.hashed: Hashed | None = None

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

    def truncate(self, length: int) -> None:
        """Take back what was appended behind ``length`` bytes."""
        os.ftruncate(self._fd, length)
        self.length = os.lseek(self._fd, length, os.SEEK_SET)

    def sync(self) -> None:
        """Return when the bytes would survive a power cut."""
        os.fsync(self._fd)

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

    def commit(self, digest: Digest) -> None:
        """Make the bytes the blob of that digest, durably, and end the session."""
        self.sync()
        try:
            self._storage.adopt(self._path, digest)
        except FileNotFoundError:
            # The session was cancelled while its last bytes were arriving.
            raise BlobUploadUnknown(detail=os.path.basename(self._path)) from None

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            written = os.write(self._fd, view)
            self.length += written
            view = view[written:]

    def _digest(self, algorithm: str) -> Digest:
        hasher = hashlib.new(algorithm)
        position = 0
        while piece := os.pread(self._fd, PIECE, position):
            hasher.update(piece)
            position += len(piece)
        return Digest(algorithm, hasher.hexdigest())


class LocalStorage:
    """A :class:`~flask_oci.storage.Storage` in a folder.

    :param root: the folder; it is made when the first blob comes.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def start_upload(self, uuid: str) -> None:
        """Make room for an upload session."""
        path = self._upload_path(uuid)
        _make_folder(os.path.dirname(path))
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open(path, flags, _FILE_MODE))

    def upload_length(self, uuid: str) -> int:
        """Return how many bytes of an upload session are stored."""
        try:
            return os.stat(self._upload_path(uuid)).st_size
        except FileNotFoundError:
            raise BlobUploadUnknown(detail=uuid) from None

    @contextmanager
    def open_upload(
        self, uuid: str, hashed: Hashed | None = None
    ) -> Iterator[LocalUpload]:
        """Take hold of an upload session, for one request at a time."""
        path = self._upload_path(uuid)
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise BlobUploadUnknown(detail=uuid) from None
        try:
            _lock(fd, path, uuid)
            upload = LocalUpload(self, path, fd)
            upload.hashed = hashed
            yield upload
        finally:
            os.close(fd)

    def discard_upload(self, uuid: str) -> None:
        """Forget an upload session, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(self._upload_path(uuid))

    def adopt(self, path: str, digest: Digest) -> None:
        """Make the file at ``path`` the blob of ``digest``, durably.

        A blob that is there already is replaced by the same bytes, which mends
        it should the disk have damaged it.
        """
        target = self.absolute_path(digest)
        folder = os.path.dirname(target)
        _make_folder(folder)
        os.replace(path, target)
        _sync_folder(folder)

    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob in bytes, or None when it is not here."""
        try:
            return os.stat(self.absolute_path(digest)).st_size
        except FileNotFoundError:
            return None

    def open(self, digest: Digest) -> t.BinaryIO:
        """Open a blob for reading."""
        return open(self.absolute_path(digest), "rb", buffering=0)

    def relative_path(self, digest: Digest) -> str:
        """Return where a blob is, from the storage folder on."""
        shard = digest.encoded[:2]
        return f"blobs/{digest.algorithm}/{shard}/{digest.encoded}"

    def absolute_path(self, digest: Digest) -> str:
        """Return where a blob is."""
        return os.path.join(self._root, self.relative_path(digest))

    def _upload_path(self, uuid: str) -> str:
        return os.path.join(self._root, "uploads", uuid)


def _lock(fd: int, path: str, uuid: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
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


def _make_folder(path: str) -> None:
    """Make a folder and those above it, each durably."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    _make_folder(parent)
    with suppress(FileExistsError):
        os.mkdir(path, _FOLDER_MODE)
    _sync_folder(parent)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
