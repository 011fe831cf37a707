"""Blobs on a local disk.

``blobs/<algorithm>/<first two digits>/<digits>`` holds what was pushed,
``uploads/<uuid>`` what is being pushed, and ``notes/<uuid>`` what is known of that.
All are on one file system, so that a finished upload becomes a blob by a rename:
there is never half a blob under a digest.
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
from .posix import close
from .posix import disk
from .posix import FILE_MODE
from .posix import locked
from .posix import make_folder
from .posix import sync_folder
from .protocol import Hashed
from .protocol import Progress
from .protocol import StoredUpload
from .upload import LocalUpload
from .upload import lock_upload

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


class LocalStorage:
    """A :class:`~flask_oci.storage.Storage` in a folder.

    :param root: the folder; it is made when the first blob comes.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    @disk
    def start_upload(self, uuid: str) -> None:
        """Make room for an upload session."""
        path = self._upload_path(uuid)
        self._make_folder(self.note_path(uuid))
        self._make_folder(path)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open(path, flags, FILE_MODE))

    @disk
    def has_upload(self, uuid: str) -> bool:
        """Tell whether there is anything of an upload session here."""
        return os.path.lexists(self._upload_path(uuid))

    @disk
    def upload_length(self, uuid: str) -> int:
        """Return how many bytes of an upload session are stored."""
        try:
            return os.stat(self._upload_path(uuid)).st_size
        except FileNotFoundError:
            raise BlobUploadUnknown(detail=uuid) from None

    @disk
    def upload_progress(self, uuid: str) -> Progress | None:
        """Return how far an upload session has got, or None when it is not here."""
        try:
            found = os.stat(self._upload_path(uuid))
        except FileNotFoundError:
            return None
        return Progress(found.st_size, found.st_mtime)

    @disk
    def free(self) -> int | None:
        """Return for how many more bytes there is room, if that is known."""
        try:
            found = os.statvfs(self._root)
        except FileNotFoundError:
            return None
        return found.f_bavail * found.f_frsize

    def hashed(self, uuid: str) -> Hashed | None:
        """Return what is remembered of an upload session's digest."""
        return upload_hash.read(self.note_path(uuid))

    @contextmanager
    def open_upload(self, uuid: str) -> Iterator[LocalUpload]:
        """Take hold of an upload session, for one request at a time."""
        path = self._upload_path(uuid)
        try:
            fd = self._open(path, os.O_RDWR)
        except FileNotFoundError:
            raise BlobUploadUnknown(detail=uuid) from None
        try:
            lock_upload(fd, path, uuid)
            upload = LocalUpload(fd, self, uuid)
            # Bytes that are not those that were hashed must not pass for them.
            if upload.hashed is not None and upload.length < upload.hashed.length:
                raise BlobUploadUnknown(detail=uuid)
            yield upload
        finally:
            close(fd)

    def promote(self, uuid: str, digest: Digest) -> None:
        """Give the file of an upload session the name of a blob.

        A blob that is there already is replaced by the same bytes, which mends
        it should the disk have damaged it.
        """
        target = self.absolute_path(digest)
        self._make_folder(target)
        try:
            os.replace(self._upload_path(uuid), target)
        except FileNotFoundError:
            # The session was cancelled while its last bytes were arriving.
            raise BlobUploadUnknown(detail=uuid) from None

    @disk
    def discard_upload(self, uuid: str) -> None:
        """Forget an upload session, if it is there."""
        upload_hash.remove(self.note_path(uuid))
        with suppress(FileNotFoundError):
            os.unlink(self._upload_path(uuid))

    def shared_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Keep a blob from being collected while its row is being written."""
        return locked(self._lock_path(digest), fcntl.LOCK_SH)

    def exclusive_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Wait until nobody relies on a blob, and keep them waiting."""
        return locked(self._lock_path(digest), fcntl.LOCK_EX)

    @disk
    def delete(self, digest: Digest) -> None:
        """Delete a blob, if it is there, within :meth:`exclusive_lock`."""
        with suppress(FileNotFoundError):
            os.unlink(self.absolute_path(digest))

    @disk
    def sync_blob(self, digest: Digest) -> int | None:
        """Return the size of a blob once it would survive a power cut, or None."""
        size = self.size(digest)
        if size is not None:
            # The bytes were on the disk before they had this name.
            path = self.absolute_path(digest)
            self._make_folder(path)
            sync_folder(os.path.dirname(path))
        return size

    @disk
    def quarantine(self, digest: Digest) -> None:
        """Put a blob aside, if it is there, so that it is not served."""
        # One digest can be damaged twice.
        name = f"{digest.algorithm}-{digest.encoded}.{time.time_ns()}"
        target = os.path.join(self._root, "quarantine", name)
        self._make_folder(target)
        with suppress(FileNotFoundError):
            os.rename(self.absolute_path(digest), target)
            sync_folder(os.path.dirname(target))

    @disk
    def remember(self, name: str, text: str) -> None:
        """Keep a short text, such as how far a long piece of work has got."""
        path = os.path.join(self._root, name)
        self._make_folder(path)
        with open(f"{path}.new", "w", encoding="ascii") as file:
            file.write(text)
        os.replace(f"{path}.new", path)

    @disk
    def recall(self, name: str) -> str:
        """Return what :meth:`remember` kept, or an empty text."""
        try:
            with open(os.path.join(self._root, name), encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def digests(self) -> Iterator[Digest]:
        """Go through the blobs, in the order of their digests."""
        for algorithm in sorted(ALGORITHMS):
            folder = os.path.join(self._root, "blobs", algorithm)
            for shard in _entries(folder):
                for encoded in _entries(os.path.join(folder, shard)):
                    # Whatever else lies there is somebody else's.
                    with suppress(DigestInvalid):
                        digest = Digest.parse(f"{algorithm}:{encoded}")
                        if encoded.startswith(shard):
                            yield digest

    def uploads(self) -> Iterator[StoredUpload]:
        """Go through the upload sessions."""
        for path_of in (self._upload_path, self.note_path):
            for name in _entries(os.path.dirname(path_of(""))):
                # Whatever else lies there is somebody else's.
                with suppress(FileNotFoundError, ValueError):
                    uuid = str(UUID(name))
                    yield StoredUpload(uuid, _touched_at(path_of(uuid)))

    @disk
    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob in bytes, or None when it is not here."""
        try:
            return os.stat(self.absolute_path(digest)).st_size
        except FileNotFoundError:
            return None

    @disk
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

    def _make_folder(self, path: str) -> None:
        make_folder(os.path.dirname(path), self._root)

    @disk
    def _open(self, path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _upload_path(self, uuid: str) -> str:
        return os.path.join(self._root, "uploads", uuid)

    def note_path(self, uuid: str) -> str:
        """Return where it is noted what is known of an upload session's digest."""
        return os.path.join(self._root, "notes", uuid)

    def _lock_path(self, digest: Digest) -> str:
        # Digests share a few locks: what waits, waits for one short transaction.
        return os.path.join(self._root, "locks", digest.encoded[:2])


@disk
def _touched_at(path: str) -> float:
    return os.stat(path).st_mtime


@disk
def _entries(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    return sorted(os.listdir(folder))
