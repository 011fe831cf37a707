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

from ..errors import BlobUploadUnknown
from ..errors import DigestInvalid
from ..spec.digest import ALGORITHMS
from ..spec.digest import Digest
from . import upload_hash
from .local_folder import LocalFolder
from .place import Place
from .posix import close
from .posix import disk
from .posix import FILE_MODE
from .posix import inherit_owner
from .posix import locked
from .posix import readable
from .posix import sync_folder
from .protocol import Hashed
from .protocol import StoredUpload
from .protocol import UploadProgress
from .upload import LocalUpload
from .upload import lock_upload

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from .place import StoredObject


class LocalStorage(LocalFolder):
    """A :class:`~flask_oci.storage.Storage` in a folder.

    :param root: the path of the folder, which the first upload creates.
    :param reserve: the free space in bytes below which pushes are refused; None is the
        default.
    """

    has_locations = False
    store = None

    @disk
    def start_upload(self, uuid: str, *, is_read: bool = False) -> None:
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

    def hashed(self, uuid: str) -> Hashed | None:
        """Return the saved hash of an upload session, or None. It outlives the
        session's bytes, which may have become a blob."""
        return upload_hash.read(self.note_path(uuid))

    def resume_commit(self, uuid: str, digest: Digest) -> Place | None:
        """Complete a commit that was interrupted; see :class:`Storage`."""
        if self.has_upload(uuid):
            return None
        # Any client can name a digest. The stored blob is the session's only if the
        # session's own bytes are known to have had this digest.
        known = self.hashed(uuid)
        if known is None or known.digest != digest:
            return None
        if self.sync_blob(digest) != known.length:
            return None
        return Place(digest, known.length)

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
        target = self._blob_path(digest)
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

    def forget_upload(self, uuid: str) -> None:
        """Delete what is left of an upload session whose blob has been recorded."""
        self.discard_upload(uuid)

    def shared_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Prevent the deletion of a blob while its row is written."""
        return locked(self._lock_path(digest), fcntl.LOCK_SH)

    def exclusive_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Wait for the shared locks of a blob, and block new ones."""
        return locked(self._lock_path(digest), fcntl.LOCK_EX)

    @disk
    def delete(self, places: Sequence[Place]) -> None:
        """Delete blobs, if they exist, each within :meth:`exclusive_lock`."""
        for place in places:
            if place.is_local:
                with suppress(FileNotFoundError):
                    os.unlink(self._blob_path(place.digest))

    @disk
    def sync_blob(self, digest: Digest) -> int | None:
        """Make the name of a blob durable, and return its size in bytes or None."""
        size = self.size(Place(digest, 0))
        if size is not None:
            # The upload flushed the bytes before it renamed the file.
            path = self._blob_path(digest)
            self._make_folder(path)
            sync_folder(os.path.dirname(path))
        return size

    @disk
    def quarantine(self, place: Place) -> None:
        """Move a blob to the quarantine folder, if it exists."""
        if not place.is_local:
            return
        digest = place.digest
        # A blob can be damaged, pushed again and damaged again.
        name = f"{digest.algorithm}-{digest.encoded}.{time.time_ns()}"
        target = os.path.join(self._root, "quarantine", name)
        self._make_folder(target)
        with suppress(FileNotFoundError):
            os.rename(self._blob_path(digest), target)
            sync_folder(os.path.dirname(target))

    @disk
    def modified_at(self, digest: Digest) -> float | None:
        """Return the time of the last write to a blob in seconds since the epoch, or
        None if it is absent."""
        try:
            return os.stat(self._blob_path(digest)).st_mtime
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

    def part(self, store: str | None) -> LocalStorage | None:
        """Return this storage for the local disk, or None for a store."""
        return self if store is None else None

    def stores(self) -> list[str]:
        """Return no store, because all blobs are on the local disk."""
        return []

    def objects(self, store: str, after: str | None = None) -> Iterator[StoredObject]:
        """Yield no object, because all blobs are on the local disk."""
        return iter(())

    @disk
    def size(self, place: Place) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent."""
        if not place.is_local:
            return None
        try:
            return os.stat(self._blob_path(place.digest)).st_size
        except FileNotFoundError:
            return None

    def stored_size(self, place: Place) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent."""
        return self.size(place)

    @disk
    def open(self, place: Place, start: int = 0, stop: int | None = None) -> t.BinaryIO:
        """Open a blob for reading."""
        if not place.is_local:
            raise FileNotFoundError(place.location)
        fd = os.open(self._blob_path(place.digest), os.O_RDONLY | os.O_CLOEXEC)
        if start:
            os.lseek(fd, start, os.SEEK_SET)
        return os.fdopen(fd, "rb", buffering=0)

    def sign(self, place: Place, seconds: int, *, is_public: bool) -> None:
        """Return None: a folder has no URL."""

    def relative_path(self, place: Place) -> str | None:
        """Return the path of a blob relative to the storage folder."""
        return _relative_path(place.digest) if place.is_local else None

    def absolute_path(self, place: Place) -> str | None:
        """Return the absolute path of a blob."""
        return self._blob_path(place.digest) if place.is_local else None

    def _blob_path(self, digest: Digest) -> str:
        return os.path.join(self._root, _relative_path(digest))

    @disk
    def _open(self, path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _upload_path(self, uuid: str) -> str:
        return os.path.join(self._root, "uploads", uuid)

    def note_path(self, uuid: str) -> str:
        """Return the path of the saved hash of an upload session."""
        return os.path.join(self._root, "notes", uuid)

    def _lock_path(self, digest: Digest) -> str:
        # All digests share 256 locks, each held for one short transaction.
        return os.path.join(self._root, "locks", digest.encoded[:2])


def _relative_path(digest: Digest) -> str:
    shard = digest.encoded[:2]
    return f"blobs/{digest.algorithm}/{shard}/{digest.encoded}"


@disk
def _touched_at(path: str) -> float:
    return os.stat(path).st_mtime
