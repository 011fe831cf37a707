"""The storage protocol: the operations of a place for blobs and upload sessions."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager

from ..spec.digest import Digest
from .place import Place
from .place import StoredObject

#: The type and the disposition of a blob, whether the registry or a store sends it. A
#: browser must not show pushed content, which may have the origin of the host, as a
#: page.
BLOB_TYPE: t.Final = "application/octet-stream"
BLOB_DISPOSITION: t.Final = "attachment"

#: The number of bytes that are read, hashed and written at a time. It bounds the memory
#: of a request, whatever the size of the blob, and a piece of this size stays in the
#: processor's cache: with 1 MiB, a push takes half as long again.
PIECE: t.Final = 256 * 1024


class Reader(t.Protocol):
    """A source of bytes: the body of a request, or a file."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and an empty value at the end."""


class Hashed(t.NamedTuple):
    """The digest of an upload's first ``length`` bytes."""

    length: int
    digest: Digest


class UploadFile(t.Protocol):
    """The bytes of one upload session, locked by one request."""

    @property
    def length(self) -> int:
        """The number of stored bytes, also after a crash."""

    hashed: Hashed | None
    """The hash of the first bytes, if it is known without reading them again."""

    def append(self, source: Reader, algorithm: str, limit: int | None) -> int:
        """Append a source to the stored bytes.

        The bytes that arrived before an exception are kept and counted.

        :param source: read to its end, :data:`PIECE` bytes at a time.
        :param algorithm: the hash algorithm to apply on the way.
        :param limit: the largest number of bytes to write, or None.
        :return: the number of written bytes.
        :raises SizeInvalid: if the source has more than ``limit`` bytes.
        """

    def truncate(self, length: int) -> None:
        """Cut the bytes to ``length``, unless they have become a blob."""

    def sync(self, *, is_last: bool = False) -> None:
        """Flush the bytes to the disk, and save their hash for later requests.

        If the flush fails, the session ends: the disk may not know which bytes it
        lost, and the next flush may succeed without them.

        :param is_last: whether probably no more bytes follow. An object store then
            stores them in their final place.
        """

    def matches(self, digest: Digest) -> bool:
        """Return True if the bytes have this digest, and read them if necessary."""

    def commit(self, digest: Digest) -> Place:
        """Turn the bytes into the blob of a digest, durably, and end the session.

        The caller has verified the digest and holds :meth:`Storage.shared_lock`. The
        saved hash is kept until :meth:`Storage.forget_upload`, so that
        :meth:`Storage.resume_commit` can repeat a completion that failed after this.

        :return: the place of the blob, for its row.
        """

    def is_sealed(self, digest: Digest) -> bool:
        """Return True if an earlier request has received the last bytes, and has begun
        to turn them into the blob of this digest. :meth:`commit` repeats this."""


class StoredUpload(t.NamedTuple):
    """The stored bytes of an upload session."""

    uuid: str
    touched_at: float
    """The time of the last write, in seconds since the epoch."""


class UploadProgress(t.NamedTuple):
    """The progress of an upload session."""

    length: int
    """The number of stored bytes."""

    touched_at: float
    """The time of the last write, in seconds since the epoch."""


class Examined(t.NamedTuple):
    """The result of an examination of a storage."""

    failure: str | None
    """A sentence for the operator if pushes fail, or None."""

    free: int | None
    """The free space in bytes, or None if it is unknown."""


class Storage(t.Protocol):
    """A store of blobs, each written once, and of upload sessions.

    The row of a blob has its place. A storage on the local disk has each blob at its
    digest, and the file proves that the blob exists. An object store has each blob at a
    location of its own, and the row proves that it exists.
    """

    has_locations: bool
    """Whether only the row of a blob tells where it is. False if each blob is on the
    local disk, at its digest."""

    @property
    def store(self) -> str | None:
        """The name of the store of new blobs; None is the local disk."""

    @property
    def name(self) -> str:
        """The folder or the address of the bucket, for operators."""

    def examine(self) -> Examined:
        """Try the operations of a push, and clean up."""

    def start_upload(self, uuid: str, *, is_read: bool = False) -> None:
        """Create an empty upload session.

        :param is_read: whether :meth:`read_upload` is called before its end.
        """

    def upload_length(self, uuid: str) -> int:
        """Return the number of stored bytes of an upload session.

        :raises BlobUploadUnknown: if the session is absent.
        """

    def upload_progress(self, uuid: str) -> UploadProgress | None:
        """Return the progress of an upload session, or None if it is absent."""

    def free(self) -> int | None:
        """Return the free space in bytes, or None if it is unknown."""

    def reserve(self) -> int | None:
        """Return the free space in bytes below which pushes are refused, or None if it
        is unknown."""

    def check_space(self) -> None:
        """Check that the free space is not below the reserve.

        :raises Unavailable: if it is.
        """

    def resume_commit(self, uuid: str, digest: Digest) -> Place | None:
        """Complete an :meth:`UploadFile.commit` that was interrupted after it had ended
        the session, within :meth:`shared_lock`.

        :return: the place of the blob, or None if no earlier attempt has stored the
            session's own bytes as the blob of this digest. In an object store, a
            session ends only when its blob is recorded, so the result is None.
        """

    def open_upload(self, uuid: str) -> AbstractContextManager[UploadFile]:
        """Open and lock an upload session for one request.

        :raises BlobUploadUnknown: if the session is absent, or has fewer bytes than
            its saved hash says.
        :raises BlobUploadInvalid: if another request is writing to it.
        """

    def read_upload(self, uuid: str) -> t.BinaryIO:
        """Open the bytes of an upload session for reading, while a request writes them.
        They stay readable after they have become a blob or were deleted.

        :raises FileNotFoundError: if the session is absent. An object store does not
            have that of another process.
        """

    def discard_upload(self, uuid: str) -> None:
        """Delete an upload session, if it exists."""

    def forget_upload(self, uuid: str) -> None:
        """Delete what is left of an upload session whose blob has been recorded."""

    def shared_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Prevent the deletion of a blob on the local disk while its row is written.

        Any number of requests can hold this lock. They wait only while the garbage
        collection holds :meth:`exclusive_lock`. A storage without blobs on the local
        disk needs no lock.
        """

    def exclusive_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Wait for the shared locks of a blob, and block new ones."""

    def delete(self, places: Sequence[Place]) -> None:
        """Delete blobs, if they exist; one on the local disk within
        :meth:`exclusive_lock`.

        :raises Unavailable: if some could not be deleted; the caller tries all of them
            again later.
        """

    def quarantine(self, place: Place) -> None:
        """Move a blob on the local disk to the quarantine, if it exists, so that it is
        not served. Earlier blobs in the quarantine are kept. An object stays where it
        is."""

    def remember(self, name: str, text: str) -> None:
        """Store a short text, such as the progress of a long operation."""

    def recall(self, name: str) -> str:
        """Return the text that :meth:`remember` stored, or an empty string."""

    def identity(self) -> str:
        """Return the identity of the storage, or an empty string if it has none."""

    def has_blob_folder(self) -> bool:
        """Return True if the storage has a place for blobs. :meth:`identify` and the
        first blob create it, and nothing deletes it."""

    def identify(self, identity: str) -> None:
        """Set the identity of the storage, durably, and create the place for blobs."""

    def modified_at(self, digest: Digest) -> float | None:
        """Return the time of the last write to a blob on the local disk in seconds
        since the epoch, or None if it is absent."""

    def digests(self, unreadable: list[str] | None = None) -> Iterator[Digest]:
        """Yield the digests of all blobs on the local disk, in ascending order.

        :param unreadable: the list to which the folders are added that cannot be read;
            None raises the error.
        """

    def uploads(self, unreadable: list[str] | None = None) -> Iterator[StoredUpload]:
        """Yield all upload sessions.

        :param unreadable: as in :meth:`digests`.
        """

    def part(self, store: str | None) -> Storage | None:
        """Return the storage that writes to a store, or None if this storage does not
        read the store.

        :param store: the name of the store; None is the local disk.
        """

    def stores(self) -> list[str]:
        """Return the names of the object stores that the storage reads; the local disk
        is none of them."""

    def objects(self, store: str, after: str | None = None) -> Iterator[StoredObject]:
        """Yield the objects of a store that may be blobs, in ascending order of the
        bytes of their location.

        :param after: the location after which to begin.
        """

    def size(self, place: Place) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent.

        It causes no request to an object store: the row proves that an object exists.
        None then means that the row has no location, or that the storage does not read
        the store.
        """

    def stored_size(self, place: Place) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent, and ask an
        object store for it."""

    def open(self, place: Place, start: int = 0, stop: int | None = None) -> t.BinaryIO:
        """Open a blob for reading. The file can seek.

        :param start: the position at which the file is opened.
        :param stop: the position up to which the caller will read; an object store
            sends these bytes in one answer. None is unknown: each read may cause a
            request.
        :raises FileNotFoundError: if the blob is absent.
        """

    def relative_path(self, place: Place) -> str | None:
        """Return the path of a blob below the storage folder, for X-Accel-Redirect, or
        None if it is not on the local disk."""

    def absolute_path(self, place: Place) -> str | None:
        """Return the absolute path of a blob, for X-Sendfile, or None if it is not on
        the local disk."""

    def sign(self, place: Place, seconds: int, *, is_public: bool) -> str | None:
        """Return a URL by which a client without credentials can read a blob, or None
        if it is on the local disk or its store provides none.

        It causes no request; see :meth:`~flask_oci.storage.buckets.Bucket.sign`.

        :param seconds: how long the URL is valid.
        :param is_public: whether clients use the URL; otherwise, nginx does.
        """
