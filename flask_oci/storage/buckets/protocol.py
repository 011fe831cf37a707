"""The protocol of a bucket: objects by key, written whole or in parts.

Keys are relative to the prefix that belongs to the registry. All methods are safe to
call from several threads.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from ..place import StoredObject


#: The size of a part of a large blob in bytes, and the maximum number of parts. S3 has
#: this limit, and Azure a higher one. The largest blob has 156 GiB.
PART_SIZE: t.Final = 16 * 1024 * 1024
MAX_PARTS: t.Final = 10_000


class NoSuchUpload(Exception):
    """The store does not know a multipart upload, or not all of its parts: it was
    completed or aborted, or another writer replaced a part."""


class Part(t.NamedTuple):
    """A stored part of a multipart upload."""

    number: int
    """Its position, from 1."""

    etag: str
    """The text with which the store identifies exactly these bytes."""

    size: int
    """Its size in bytes."""


class Head(t.NamedTuple):
    """The properties of an object."""

    size: int
    """Its size in bytes."""

    modified_at: float
    """The time at which it was written, in seconds since the epoch."""


class Body(t.Protocol):
    """The bytes of an object, while they arrive."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and an empty value at the end.

        :raises Unavailable: if the store does not send them.
        """

    def close(self) -> None:
        """Close the connection, or return it to its pool."""


class Bucket(t.Protocol):
    """A bucket of an object store.

    Every method raises :exc:`~flask_oci.errors.Unavailable` if the store does not
    answer or refuses. A call that failed may have had its effect nevertheless.
    """

    name: str
    """The bucket and its prefix, for operators."""

    part_size: int
    """The size in bytes of each part of a multipart upload, except the last. Some
    stores refuse parts below 5 MiB, parts of different sizes, or more than 10,000 of
    them."""

    def put(self, key: str, body: bytes | bytearray) -> None:
        """Write an object, and replace an existing one."""

    def create(self, key: str) -> str:
        """Begin a multipart upload, and return its id, which other processes may
        use."""

    def part(
        self, key: str, upload_id: str, number: int, body: bytes | bytearray
    ) -> Part:
        """Write a part of a multipart upload.

        :param body: the bytes, which change after the call.
        :param number: its position, from 1. A second part with the same number does
            not silently replace the first: :meth:`complete` names the ETag.
        :raises NoSuchUpload: if the upload was completed or aborted.
        """

    def complete(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Turn parts into an object.

        :param parts: consecutive parts, beginning with number 1.
        :raises NoSuchUpload: if the upload was aborted, or a part is not stored any
            more. A completed upload may raise it too.
        """

    def abort(self, key: str, upload_id: str) -> None:
        """Delete the parts of a multipart upload. An upload that was completed or
        aborted is left as it is."""

    def head(self, key: str) -> Head | None:
        """Return the properties of an object, or None if it is absent."""

    def get(self, key: str, start: int = 0, stop: int | None = None) -> Body:
        """Read an object, or a part of it.

        :param start: the position of the first byte.
        :param stop: the position after the last byte; None is the end.
        :raises FileNotFoundError: if the object is absent.
        """

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete objects. Absent objects are ignored."""

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield the objects whose key begins with ``prefix``, ordered by key.

        :param after: a key; only greater ones are listed.
        """

    def sign(self, key: str, seconds: int, *, is_public: bool = False) -> str | None:
        """Return a URL by which a client without credentials can read an object, or
        None if the store or its credentials provide none. It causes no request, except
        for a key that signs many URLs.

        The URL is valid for this object and for reading only. The response has the
        type and the disposition of :mod:`flask_oci.storage.protocol`,
        whatever the object has.

        :param seconds: how long the URL is valid.
        :param is_public: whether the URL has the endpoint for clients outside, which
            may differ from that of this process.
        """
