"""What a place to keep blobs in has to do."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import AbstractContextManager

from ..spec.digest import Digest

#: How many bytes are read, hashed and written in one go. It bounds what a
#: request holds in memory, whatever the size of the blob, and lets a piece stay in
#: the processor's cache on its way: a MiB at a time takes half as long again.
PIECE: t.Final = 256 * 1024


class Reader(t.Protocol):
    """Where bytes come from: the body of a request, or a file."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and none at the end."""


class Hashed(t.NamedTuple):
    """The digest of an upload's first ``length`` bytes."""

    length: int
    digest: Digest


class UploadFile(t.Protocol):
    """The bytes of one upload session, while one request holds them."""

    length: int
    """How many bytes there are: what was really stored, crash or no crash."""

    hashed: Hashed | None
    """What is known of their digest without reading them again."""

    def append(self, source: Reader, algorithm: str, limit: int | None) -> int:
        """Write ``source`` behind what is there.

        Whatever arrived before an exception stays, and counts.

        :param source: read to its end, a :data:`PIECE` at a time.
        :param algorithm: what to hash with, on the way.
        :param limit: how many bytes may be written; one more is an error.
        :return: how many were written.
        :raises SizeInvalid: when there were more than ``limit``.
        """

    def truncate(self, length: int) -> None:
        """Take back what was appended behind ``length`` bytes, unless they have
        become a blob."""

    def sync(self) -> None:
        """Return when the bytes would survive a power cut, and remember what is known
        of their digest for the requests to come.

        Where the disk has failed to keep them, it may not know which, and may say
        the next time that all is well. So the session ends then.
        """

    def matches(self, digest: Digest) -> bool:
        """Tell whether the bytes have this digest, reading them if need be."""

    def commit(self, digest: Digest) -> None:
        """Make the bytes the blob of that digest, durably, and end the session.

        The caller has made sure that they match, and is within
        :meth:`Storage.shared_lock`. What is known of their digest is remembered until
        :meth:`Storage.discard_upload`, should the caller have to come back.
        """


class StoredUpload(t.NamedTuple):
    """An upload session's bytes, as they lie there."""

    uuid: str
    touched_at: float
    """When they were last written to, in seconds since the epoch."""


class Progress(t.NamedTuple):
    """How far an upload session has got."""

    length: int
    """How many bytes there are."""

    touched_at: float
    """When the last ones came, in seconds since the epoch."""


class Storage(t.Protocol):
    """A content-addressed store: one blob for each digest, written once."""

    def start_upload(self, uuid: str) -> None:
        """Make room for an upload session."""

    def has_upload(self, uuid: str) -> bool:
        """Tell whether there is anything of an upload session here."""

    def upload_length(self, uuid: str) -> int:
        """Return how many bytes of an upload session are stored.

        :raises BlobUploadUnknown: when there is nothing of it here.
        """

    def upload_progress(self, uuid: str) -> Progress | None:
        """Return how far an upload session has got, or None when it is not here."""

    def free(self) -> int | None:
        """Return for how many more bytes there is room, if that is known."""

    def hashed(self, uuid: str) -> Hashed | None:
        """Return what is remembered of an upload session's digest, also when its
        bytes have become a blob."""

    def open_upload(self, uuid: str) -> AbstractContextManager[UploadFile]:
        """Take hold of an upload session, for one request at a time.

        :raises BlobUploadUnknown: when there is nothing of it here, or less than was
            hashed.
        :raises BlobUploadInvalid: when another request is writing to it.
        """

    def discard_upload(self, uuid: str) -> None:
        """Forget an upload session, if it is there."""

    def shared_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Keep a blob from being collected while its row is being written.

        Any number of requests may rely on one blob, and wait only for the
        moment in which the collection removes it.
        """

    def exclusive_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Wait until nobody relies on a blob, and keep them waiting."""

    def delete(self, digest: Digest) -> None:
        """Delete a blob, if it is there, within :meth:`exclusive_lock`."""

    def sync_blob(self, digest: Digest) -> int | None:
        """Return the size of a blob once it would survive a power cut, or None when
        it is not here.

        It is for a blob whose :meth:`UploadFile.commit` may have been broken off.
        """

    def quarantine(self, digest: Digest) -> None:
        """Put a blob aside, if it is there, so that it is not served. What has been
        put aside before stays."""

    def remember(self, name: str, text: str) -> None:
        """Keep a short text, such as how far a long piece of work has got."""

    def recall(self, name: str) -> str:
        """Return what :meth:`remember` kept, or an empty text."""

    def digests(self) -> Iterator[Digest]:
        """Go through the blobs, in the order of their digests."""

    def uploads(self) -> Iterator[StoredUpload]:
        """Go through the upload sessions."""

    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob in bytes, or None when it is not here."""

    def open(self, digest: Digest) -> t.BinaryIO:
        """Open a blob for reading.

        :raises FileNotFoundError: when it is not here.
        """

    def relative_path(self, digest: Digest) -> str:
        """Return where a blob is, for a server that sends files itself."""

    def absolute_path(self, digest: Digest) -> str:
        """Return where a blob is, for a server that sends files itself."""
