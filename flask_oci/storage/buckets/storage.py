"""Blobs in a bucket, and those that are still on the local disk.

``data/<two digits>/<uuid>`` holds each blob, ``identity`` the identity of the storage,
and ``notes/<name>`` short texts. The rows of the database say which blob an object is.
"""

from __future__ import annotations

import time
import typing as t
from contextlib import closing
from contextlib import nullcontext

from ...errors import Unavailable
from ..place import Place
from ..protocol import Examined
from .failures import StoreUnavailable
from .files import BucketFile
from .inspection import try_push
from .sessions import BucketSessions

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from ...spec.digest import Digest
    from ..local import LocalStorage
    from ..place import StoredObject
    from ..protocol import Storage
    from .protocol import Bucket
    from .state import UploadRecords

#: The key of the object with the identity of the storage.
IDENTITY: t.Final = "identity"

#: How long a process believes that the bucket has the same identity, in seconds.
IDENTITY_LIFETIME: t.Final = 60

#: The maximum size of a note in bytes.
MAX_NOTE: t.Final = 64 * 1024


class BucketStorage(BucketSessions):
    """A :class:`~flask_oci.storage.Storage` in a bucket.

    :param bucket: receives all new blobs.
    :param records: the state of upload sessions.
    :param local: has the blobs that were stored before the bucket was configured.
    """

    has_locations = True

    def __init__(
        self, bucket: Bucket, records: UploadRecords, local: LocalStorage
    ) -> None:
        super().__init__(bucket, records)
        self._local = local
        self._identity = ("", 0.0)

    @property
    def name(self) -> str:
        """The address of the bucket."""
        return self.bucket.name

    def examine(self) -> Examined:
        """Write, read and delete an object."""
        try:
            try_push(self.bucket)
        except StoreUnavailable as error:
            return Examined(error.remedy, None)
        except Unavailable as error:
            return Examined(error.message, None)
        return Examined(None, None)

    def free(self) -> int | None:
        """Return None: a bucket has no known free space."""
        return None

    def reserve(self) -> int | None:
        """Return None: a bucket has no reserve."""
        return None

    def check_space(self) -> None:
        """Accept any size. A full store refuses the bytes."""

    def shared_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Return no lock: the rows of the database guard objects."""
        return nullcontext()

    def exclusive_lock(self, digest: Digest) -> AbstractContextManager[None]:
        """Return the lock for a blob on the local disk."""
        return self._local.exclusive_lock(digest)

    def delete(self, places: Sequence[Place]) -> None:
        """Delete blobs, if they exist."""
        self._local.delete([place for place in places if place.is_local])
        self.bucket.delete_many(
            [p.location for p in places if self._has(p) and p.location is not None]
        )

    def quarantine(self, place: Place) -> None:
        """Move a blob on the local disk to the quarantine. An object stays where it
        is."""
        self._local.quarantine(place)

    def remember(self, name: str, text: str) -> None:
        """Store a short text, such as the progress of a long operation."""
        self.bucket.put(f"notes/{name}", text.encode("ascii"))

    def recall(self, name: str) -> str:
        """Return the text that :meth:`remember` stored, or an empty string."""
        return self._read(f"notes/{name}")

    def identity(self) -> str:
        """Return the identity of the storage, or an empty string if it has none.

        It is read once a minute: unlike a folder, a bucket cannot be unmounted.
        """
        identity, until = self._identity
        if not identity or time.monotonic() > until:
            identity = self._read(IDENTITY)
            self._identity = (identity, time.monotonic() + IDENTITY_LIFETIME)
        return identity

    def has_blob_folder(self) -> bool:
        """Return True: a bucket has no folders that could be missing."""
        return True

    def identify(self, identity: str) -> None:
        """Set the identity of the storage."""
        self.bucket.put(IDENTITY, identity.encode("ascii"))
        self._identity = ("", 0.0)

    def modified_at(self, digest: Digest) -> float | None:
        """Return the time of the last write to a blob on the local disk."""
        return self._local.modified_at(digest)

    def digests(self, unreadable: list[str] | None = None) -> Iterator[Digest]:
        """Yield the digests of all blobs on the local disk."""
        return self._local.digests(unreadable)

    @property
    def store(self) -> str | None:
        """The name of the bucket."""
        return self.bucket.name

    def part(self, store: str | None) -> Storage | None:
        """Return the storage that writes to a store; None is the local disk."""
        if store is None:
            return self._local
        return self if store == self.bucket.name else None

    def stores(self) -> list[str]:
        """Return the name of the bucket."""
        return [self.bucket.name]

    def objects(self, store: str, after: str | None = None) -> Iterator[StoredObject]:
        """Yield the objects of the bucket that may be blobs, except those of upload
        sessions."""
        active = self.active_keys()
        for found in self.bucket.list("data/", after or ""):
            if found.key not in active:
                yield found

    def size(self, place: Place) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent."""
        if place.is_local:
            return self._local.size(place)
        return place.size if self._has(place) else None

    def stored_size(self, place: Place) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent, and ask the
        bucket for it."""
        if place.is_local:
            return self._local.size(place)
        if not self._has(place):
            return None
        found = self.bucket.head(place.location or "")
        return None if found is None else found.size

    def open(self, place: Place, start: int = 0, stop: int | None = None) -> t.BinaryIO:
        """Open a blob for reading; see :class:`Storage`."""
        if place.is_local:
            return self._local.open(place, start, stop)
        if not self._has(place):
            raise FileNotFoundError(place.location)
        file = BucketFile(self.bucket, place.location or "", place.size)
        if stop is None:
            file.seek(start)
        else:
            file.begin(start, stop)
        return t.cast(t.BinaryIO, file)

    def sign(self, place: Place, seconds: int, *, is_public: bool) -> str | None:
        """Return a URL by which a client can read a blob in the bucket, or None."""
        if not self._has(place):
            return None
        return self.bucket.sign(place.location or "", seconds, is_public=is_public)

    def relative_path(self, place: Place) -> str | None:
        """Return the path of a blob on the local disk, or None."""
        return self._local.relative_path(place)

    def absolute_path(self, place: Place) -> str | None:
        """Return the absolute path of a blob on the local disk, or None."""
        return self._local.absolute_path(place)

    def _has(self, place: Place) -> bool:
        return place.store == self.bucket.name and place.location is not None

    def _read(self, key: str) -> str:
        try:
            with closing(self.bucket.get(key)) as body:
                return body.read(MAX_NOTE).decode("ascii")
        except FileNotFoundError:
            return ""
