"""The storage protocol: the operations of a place for blobs and upload sessions."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import AbstractContextManager

from ..spec.digest import Digest

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

    length: int
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

    def sync(self) -> None:
        """Flush the bytes to the disk, and save their hash for later requests.

        If the flush fails, the session ends: the disk may not know which bytes it
        lost, and the next flush may succeed without them.
        """

    def matches(self, digest: Digest) -> bool:
        """Return True if the bytes have this digest, and read them if necessary."""

    def commit(self, digest: Digest) -> None:
        """Turn the bytes into the blob of a digest, durably, and end the session.

        The caller has verified the digest and holds :meth:`Storage.shared_lock`. The
        saved hash is kept until :meth:`Storage.discard_upload`, so that the caller can
        repeat a completion that failed after this.
        """


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


class Storage(t.Protocol):
    """A content-addressed store: one blob for each digest, written once."""

    def start_upload(self, uuid: str) -> None:
        """Create the empty file of an upload session."""

    def has_upload(self, uuid: str) -> bool:
        """Return True if the storage has bytes of an upload session."""

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

    def hashed(self, uuid: str) -> Hashed | None:
        """Return the saved hash of an upload session, or None. It outlives the
        session's bytes, which may have become a blob."""

    def open_upload(self, uuid: str) -> AbstractContextManager[UploadFile]:
        """Open and lock an upload session for one request.

        :raises BlobUploadUnknown: if the session is absent, or has fewer bytes than
            its saved hash says.
        :raises BlobUploadInvalid: if another request is writing to it.
        """

    def read_upload(self, uuid: str) -> t.BinaryIO:
        """Open the bytes of an upload session for reading, while a request writes them.
        They stay readable after they have become a blob or were deleted.

        :raises FileNotFoundError: if the session is absent.
        """

    def discard_upload(self, uuid: str) -> None:
        """Delete an upload session, if it exists."""

    def shared_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Prevent the deletion of a blob while its row is written.

        Any number of requests can hold this lock. They wait only while the garbage
        collection holds :meth:`exclusive_lock`.
        """

    def exclusive_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Wait for the shared locks of a blob, and block new ones."""

    def delete(self, digest: Digest) -> None:
        """Delete a blob, if it exists, within :meth:`exclusive_lock`."""

    def sync_blob(self, digest: Digest) -> int | None:
        """Make the name of a blob durable, and return its size in bytes, or None if
        the blob is absent.

        It completes an :meth:`UploadFile.commit` that was interrupted.
        """

    def quarantine(self, digest: Digest) -> None:
        """Move a blob to the quarantine, if it exists, so that it is not served.
        Earlier blobs in the quarantine are kept."""

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
        """Return the time of the last write to a blob in seconds since the epoch, or
        None if it is absent."""

    def digests(self, unreadable: list[str] | None = None) -> Iterator[Digest]:
        """Yield the digests of all blobs, in ascending order.

        :param unreadable: the list to which the folders are added that cannot be read;
            None raises the error.
        """

    def uploads(self, unreadable: list[str] | None = None) -> Iterator[StoredUpload]:
        """Yield all upload sessions.

        :param unreadable: as in :meth:`digests`.
        """

    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent."""

    def open(self, digest: Digest) -> t.BinaryIO:
        """Open a blob for reading.

        :raises FileNotFoundError: if the blob is absent.
        """

    def relative_path(self, digest: Digest) -> str:
        """Return the path of a blob below the storage folder, for X-Accel-Redirect."""

    def absolute_path(self, digest: Digest) -> str:
        """Return the absolute path of a blob, for X-Sendfile."""
