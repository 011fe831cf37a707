"""Blobs in a bucket, and those that are still on the local disk.

``data/<two digits>/<uuid>`` holds each blob, ``identity`` the identity of the storage,
and ``notes/<name>`` short texts. The rows of the database say which blob an object is.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import typing as t
from contextlib import closing
from contextlib import contextmanager
from contextlib import nullcontext
from contextlib import suppress
from uuid import uuid4

from ...errors import BlobUploadUnknown
from ...errors import Unavailable
from ..hashed_upload import busy
from ..place import Place
from ..place import StoredObject
from ..protocol import Examined
from ..protocol import StoredUpload
from ..protocol import UploadProgress
from .failures import StoreUnavailable
from .files import BucketFile
from .files import SpoolFile
from .inspection import try_push
from .state import UploadState
from .upload import BucketUpload
from .upload import LEASE

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from ...spec.digest import Digest
    from ..local import LocalStorage
    from ..protocol import Storage
    from .protocol import Bucket
    from .state import UploadRecord
    from .state import UploadRecords

#: The key of the object with the identity of the storage.
IDENTITY: t.Final = "identity"

#: How long a process believes that the bucket has the same identity, in seconds.
IDENTITY_LIFETIME: t.Final = 60

#: How long a request waits for the lease of another one, and the pauses between two
#: attempts, in seconds.
PATIENCE: t.Final = 2.0
PAUSE: t.Final = 0.1

#: The maximum size of a note in bytes.
MAX_NOTE: t.Final = 64 * 1024


class BucketStorage:
    """A :class:`~flask_oci.storage.Storage` in a bucket.

    :param bucket: receives all new blobs.
    :param records: the state of upload sessions.
    :param local: has the blobs that were stored before the bucket was configured.
    """

    has_locations = True

    def __init__(
        self, bucket: Bucket, records: UploadRecords, local: LocalStorage
    ) -> None:
        self.bucket = bucket
        self._records = records
        self._local = local
        self._identity = ("", 0.0)
        self._spools: dict[str, t.IO[bytes]] = {}
        self._spooling = threading.Lock()

    def start_upload(self, uuid: str, *, is_read: bool = False) -> None:
        """Record an empty upload session; see :class:`Storage`.

        A bucket does not give out the parts of an object that is not complete, so the
        bytes of a session that is read are written to a temporary file as well.
        """
        self._records.begin(uuid, UploadState().as_text())
        if is_read:
            self._spools[uuid] = _temporary_file()

    def upload_length(self, uuid: str) -> int:
        """Return the number of stored bytes of an upload session."""
        return self._find(uuid).length

    def upload_progress(self, uuid: str) -> UploadProgress | None:
        """Return the progress of an upload session, or None if it is absent."""
        found = self._records.find(uuid)
        return None if found is None else UploadProgress(found.length, found.touched_at)

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

    @contextmanager
    def open_upload(self, uuid: str) -> Iterator[BucketUpload]:
        """Lease an upload session for one request."""
        lease = str(uuid4())
        state = UploadState.from_text(self._claim(uuid, lease).state)
        if not self._is_here(state):
            self._records.release(uuid, lease)
            raise BlobUploadUnknown(detail=uuid)
        upload = BucketUpload(
            self.bucket, self._records, uuid, lease, state, self._spool_of(uuid)
        )
        try:
            yield upload
        except BaseException:
            # The error of the request says more than one of the store.
            with suppress(Exception):
                upload.close()
            raise
        upload.close()

    def resume_commit(self, uuid: str, digest: Digest) -> Place | None:
        """Complete an interrupted commit; see :class:`Storage`."""
        found = self._records.find(uuid)
        if found is None:
            return None
        state = UploadState.from_text(found.state)
        if not self._is_here(state):
            return None
        if not state.is_sealed or state.hashed is None or state.hashed.digest != digest:
            return None
        with self.open_upload(uuid) as upload:
            return upload.commit(digest)

    def read_upload(self, uuid: str) -> t.BinaryIO:
        """Read the bytes of an upload session of this process.

        :raises FileNotFoundError: if the session is absent, or of another process.
        """
        with self._spooling:
            spool = self._spools.get(uuid)
            if spool is None:
                raise FileNotFoundError(uuid)
            return t.cast(t.BinaryIO, SpoolFile(os.dup(spool.fileno())))

    def discard_upload(self, uuid: str) -> None:
        """Delete an upload session, if it exists."""
        with self._spooling:
            spool = self._spools.pop(uuid, None)
        if spool is not None:
            spool.close()
        known = self._records.find(uuid)
        if known is not None and not self._is_here(UploadState.from_text(known.state)):
            return
        found = self._records.end(uuid)
        if found is None:
            return
        state = UploadState.from_text(found.state)
        if state.key is not None:
            self.bucket.abort(state.key, state.upload_id or "")
        self.bucket.delete_many(state.objects)
        self._records.forget(uuid)

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

    def uploads(self, unreadable: list[str] | None = None) -> Iterator[StoredUpload]:
        """Yield the upload sessions whose bytes are in this bucket."""
        for found in self._records.all():
            if self._is_here(UploadState.from_text(found.state)):
                yield StoredUpload(found.uuid, found.touched_at)

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
        active = {
            key
            for record in self._records.all()
            for key in UploadState.from_text(record.state).objects
        }
        for found in self.bucket.list("data/", after or ""):
            if found.key not in active:
                yield StoredObject(found.key, found.size, found.modified_at)

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

    def relative_path(self, place: Place) -> str | None:
        """Return the path of a blob on the local disk, or None."""
        return self._local.relative_path(place)

    def absolute_path(self, place: Place) -> str | None:
        """Return the absolute path of a blob on the local disk, or None."""
        return self._local.absolute_path(place)

    def _has(self, place: Place) -> bool:
        return place.store == self.bucket.name and place.location is not None

    def _find(self, uuid: str) -> UploadRecord:
        found = self._records.find(uuid)
        if found is None or not self._is_here(UploadState.from_text(found.state)):
            raise BlobUploadUnknown(detail=uuid)
        return found

    def _is_here(self, state: UploadState) -> bool:
        """Return True unless the bytes are in another bucket, to which new blobs were
        stored before."""
        return state.store in (None, self.bucket.name)

    def _claim(self, uuid: str, lease: str) -> UploadRecord:
        """Lease a session, and wait for a request that is about to end.

        :raises BlobUploadInvalid: if another request keeps its lease.
        """
        end_at = time.monotonic() + PATIENCE
        while (found := self._records.claim(uuid, lease, LEASE)) is None:
            if time.monotonic() > end_at:
                raise busy(uuid)
            time.sleep(PAUSE)
        return found

    def _spool_of(self, uuid: str) -> t.Callable[[bytes], object]:
        spool = self._spools.get(uuid)
        return (lambda _: None) if spool is None else spool.write

    def _read(self, key: str) -> str:
        try:
            with closing(self.bucket.get(key)) as body:
                return body.read(MAX_NOTE).decode("ascii")
        except FileNotFoundError:
            return ""


def _temporary_file() -> t.IO[bytes]:
    return tempfile.TemporaryFile(buffering=0)
