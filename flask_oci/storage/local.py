"""Local storage: blobs and upload sessions in a folder of the local disk.

``blobs/<algorithm>/<first two digits>/<digits>`` holds the blobs, ``uploads/<uuid>``
the bytes of upload sessions, and ``notes/<uuid>`` the saved hash of each session. All
are on one file system, so that a finished upload becomes a blob by a rename, and a
digest never names an incomplete blob.
"""

from __future__ import annotations

import fcntl
import os
import time
import typing as t
from contextlib import contextmanager
from contextlib import suppress
from uuid import UUID
from uuid import uuid4

from ..errors import BlobUploadUnknown
from ..errors import DigestInvalid
from ..spec.digest import ALGORITHMS
from ..spec.digest import Digest
from . import upload_hash
from .posix import close
from .posix import disk
from .posix import FILE_MODE
from .posix import inherit_owner
from .posix import locked
from .posix import make_folder
from .posix import readable
from .posix import Space
from .posix import space
from .posix import sync_folder
from .posix import unavailable
from .protocol import Hashed
from .protocol import StoredUpload
from .protocol import UploadProgress
from .upload import LocalUpload
from .upload import lock_upload

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


#: The name of the file with the identity of the storage.
IDENTITY: t.Final = "identity"

#: The cause if the free space is below the reserve.
ALMOST_FULL: t.Final = (
    "Its disk is almost full, and the rest is reserved for deletions."
)


class LocalStorage:
    """A :class:`~flask_oci.storage.Storage` in a folder.

    :param root: the path of the folder, which the first upload creates.
    :param reserve: the free space in bytes below which pushes are refused; None is the
        default.
    """

    def __init__(self, root: str, reserve: int | None = None) -> None:
        self._root = root
        self._reserve = reserve

    @disk
    def start_upload(self, uuid: str) -> None:
        """Create the empty file of an upload session."""
        self.check_space()
        path = self._upload_path(uuid)
        self._make_folder(self.note_path(uuid))
        self._make_folder(path)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open(path, flags, FILE_MODE))
        inherit_owner(path)

    @disk
    def has_upload(self, uuid: str) -> bool:
        """Return True if the storage has bytes of an upload session."""
        return os.path.lexists(self._upload_path(uuid))

    @disk
    def upload_length(self, uuid: str) -> int:
        """Return the number of stored bytes of an upload session."""
        try:
            return os.stat(self._upload_path(uuid)).st_size
        except FileNotFoundError:
            raise BlobUploadUnknown(detail=uuid) from None

    @disk
    def upload_progress(self, uuid: str) -> UploadProgress | None:
        """Return the progress of an upload session, or None if it is absent."""
        try:
            found = os.stat(self._upload_path(uuid))
        except FileNotFoundError:
            return None
        return UploadProgress(found.st_size, found.st_mtime)

    @disk
    def free(self) -> int | None:
        """Return the free space in bytes, or None if it is unknown."""
        found = self.space()
        return None if found is None else found.free

    @disk
    def reserve(self) -> int | None:
        """Return the free space in bytes below which pushes are refused, or None if it
        is unknown."""
        found = self.space()
        return None if found is None else found.reserve

    @disk
    def check_space(self) -> None:
        """Check that the free space is not below the reserve."""
        self.room_for(0)

    def room_for(self, size: int) -> int:
        """Return the space that pushes may take, in bytes.

        :param size: the number of bytes that are about to be written.
        :raises Unavailable: if the bytes do not fit above the reserve.
        """
        found = self.space()
        if found is None:
            return size
        if found.left < size:
            raise unavailable(ALMOST_FULL)
        return found.left

    @disk
    def space(self) -> Space | None:
        """Return the free space, or None if the folder does not exist yet."""
        return space(self._root, self._reserve)

    def hashed(self, uuid: str) -> Hashed | None:
        """Return the saved hash of an upload session, or None."""
        return upload_hash.read(self.note_path(uuid))

    @contextmanager
    def open_upload(self, uuid: str) -> Iterator[LocalUpload]:
        """Open and lock an upload session for one request."""
        path = self._upload_path(uuid)
        try:
            fd = self._open(path, os.O_RDWR)
        except FileNotFoundError:
            raise BlobUploadUnknown(detail=uuid) from None
        try:
            lock_upload(fd, path, uuid)
            upload = LocalUpload(fd, self, uuid)
            # A file that is shorter than its saved hash says has lost bytes.
            if upload.hashed is not None and upload.length < upload.hashed.length:
                raise BlobUploadUnknown(detail=uuid)
            yield upload
        finally:
            close(fd)

    def promote(self, uuid: str, digest: Digest) -> None:
        """Rename the file of an upload session to that of a blob.

        An existing blob is replaced by the same bytes, which repairs it if the disk
        has damaged it.
        """
        target = self.absolute_path(digest)
        self._make_folder(target)
        try:
            os.replace(self._upload_path(uuid), target)
        except FileNotFoundError:
            # Another request cancelled the session while its last bytes arrived.
            raise BlobUploadUnknown(detail=uuid) from None

    @disk
    def read_upload(self, uuid: str) -> t.BinaryIO:
        """Open the bytes of an upload session for reading; see :class:`Storage`."""
        return open(self._upload_path(uuid), "rb", buffering=0)

    @disk
    def discard_upload(self, uuid: str) -> None:
        """Delete an upload session, if it exists."""
        upload_hash.remove(self.note_path(uuid))
        with suppress(FileNotFoundError):
            os.unlink(self._upload_path(uuid))

    def shared_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Prevent the deletion of a blob while its row is written."""
        return locked(self._lock_path(digest), fcntl.LOCK_SH)

    def exclusive_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Wait for the shared locks of a blob, and block new ones."""
        return locked(self._lock_path(digest), fcntl.LOCK_EX)

    @disk
    def delete(self, digest: Digest) -> None:
        """Delete a blob, if it exists, within :meth:`exclusive_lock`."""
        with suppress(FileNotFoundError):
            os.unlink(self.absolute_path(digest))

    @disk
    def sync_blob(self, digest: Digest) -> int | None:
        """Make the name of a blob durable, and return its size in bytes or None."""
        size = self.size(digest)
        if size is not None:
            # The upload flushed the bytes before it renamed the file.
            path = self.absolute_path(digest)
            self._make_folder(path)
            sync_folder(os.path.dirname(path))
        return size

    @disk
    def quarantine(self, digest: Digest) -> None:
        """Move a blob to the quarantine folder, if it exists."""
        # A blob can be damaged, pushed again and damaged again.
        name = f"{digest.algorithm}-{digest.encoded}.{time.time_ns()}"
        target = os.path.join(self._root, "quarantine", name)
        self._make_folder(target)
        with suppress(FileNotFoundError):
            os.rename(self.absolute_path(digest), target)
            sync_folder(os.path.dirname(target))

    @disk
    def remember(self, name: str, text: str, *, is_durable: bool = False) -> None:
        """Store a short text, such as the progress of a long operation; flush its bytes
        first if ``is_durable``."""
        path = os.path.join(self._root, name)
        self._make_folder(path)
        # Several processes may write the same text at the same time.
        new = f"{path}.{uuid4()}"
        with open(new, "w", encoding="ascii", opener=_opener) as file:
            file.write(text)
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
        inherit_owner(new)
        os.replace(new, path)

    @disk
    def recall(self, name: str) -> str:
        """Return the text that :meth:`remember` stored, or an empty string."""
        try:
            with open(os.path.join(self._root, name), encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def identity(self) -> str:
        """Return the identity of the storage, or an empty string if it has none."""
        return self.recall(IDENTITY)

    @disk
    def has_blob_folder(self) -> bool:
        """Return True if the storage has a place for blobs. :meth:`identify` and the
        first blob create it, and nothing deletes it."""
        for algorithm in ALGORITHMS:
            # Other errors of the disk do not mean that the folder is lost.
            with suppress(FileNotFoundError, NotADirectoryError):
                os.lstat(self._blob_folder(algorithm))
                return True
        return False

    @disk
    def identify(self, identity: str) -> None:
        """Set the identity of the storage, durably, and create the place for blobs."""
        make_folder(self._blob_folder("sha256"), self._root)
        self.remember(IDENTITY, identity, is_durable=True)
        sync_folder(self._root)

    @disk
    def modified_at(self, digest: Digest) -> float | None:
        """Return the time of the last write to a blob in seconds since the epoch, or
        None if it is absent."""
        try:
            return os.stat(self.absolute_path(digest)).st_mtime
        except FileNotFoundError:
            return None

    def digests(self, unreadable: list[str] | None = None) -> Iterator[Digest]:
        """Yield the digests of all blobs, in ascending order.

        :param unreadable: the list to which the folders are added that cannot be read;
            None raises the error.
        """
        for algorithm in sorted(ALGORITHMS):
            folder = self._blob_folder(algorithm)
            for shard in readable(folder, unreadable):
                for encoded in readable(os.path.join(folder, shard), unreadable):
                    # The registry ignores files that it did not create.
                    with suppress(DigestInvalid):
                        digest = Digest.parse(f"{algorithm}:{encoded}")
                        if encoded.startswith(shard):
                            yield digest

    def uploads(self, unreadable: list[str] | None = None) -> Iterator[StoredUpload]:
        """Yield all upload sessions. ``unreadable`` is as for :meth:`digests`."""
        for path_of in (self._upload_path, self.note_path):
            for name in readable(os.path.dirname(path_of("")), unreadable):
                # The registry ignores files that it did not create.
                with suppress(FileNotFoundError, ValueError):
                    uuid = str(UUID(name))
                    yield StoredUpload(uuid, _touched_at(path_of(uuid)))

    @disk
    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent."""
        try:
            return os.stat(self.absolute_path(digest)).st_size
        except FileNotFoundError:
            return None

    @disk
    def open(self, digest: Digest) -> t.BinaryIO:
        """Open a blob for reading."""
        return open(self.absolute_path(digest), "rb", buffering=0)

    def relative_path(self, digest: Digest) -> str:
        """Return the path of a blob relative to the storage folder."""
        shard = digest.encoded[:2]
        return f"blobs/{digest.algorithm}/{shard}/{digest.encoded}"

    def absolute_path(self, digest: Digest) -> str:
        """Return the absolute path of a blob."""
        return os.path.join(self._root, self.relative_path(digest))

    def _make_folder(self, path: str) -> None:
        make_folder(os.path.dirname(path), self._root)

    @disk
    def _open(self, path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _blob_folder(self, algorithm: str) -> str:
        return os.path.join(self._root, "blobs", algorithm)

    def _upload_path(self, uuid: str) -> str:
        return os.path.join(self._root, "uploads", uuid)

    def note_path(self, uuid: str) -> str:
        """Return the path of the saved hash of an upload session."""
        return os.path.join(self._root, "notes", uuid)

    def _lock_path(self, digest: Digest) -> str:
        # All digests share 256 locks, each held for one short transaction.
        return os.path.join(self._root, "locks", digest.encoded[:2])


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)


@disk
def _touched_at(path: str) -> float:
    return os.stat(path).st_mtime
