"""Upload sessions whose bytes are in a bucket."""

from __future__ import annotations

import os
import tempfile
import threading
import time
import typing as t
from contextlib import contextmanager
from contextlib import suppress
from uuid import uuid4

from ...errors import BlobUploadUnknown
from ...errors import RegistryError
from ..hashed_upload import busy
from ..place import Place
from ..protocol import StoredUpload
from ..protocol import UploadProgress
from .failures import StoreUnavailable
from .files import SpoolFile
from .leased_session import LEASE
from .state import UploadState
from .upload import BucketUpload

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...spec.digest import Digest
    from .protocol import Bucket
    from .state import UploadRecord
    from .state import UploadRecords

#: How long a request waits for the lease of another one, and the pauses between two
#: attempts, in seconds.
PATIENCE: t.Final = 2.0
PAUSE: t.Final = 0.1


class BucketSessions:
    """The part of a :class:`~flask_oci.storage.Storage` that serves upload sessions.

    :param bucket: receives all new blobs.
    :param records: the state of upload sessions.
    """

    def __init__(self, bucket: Bucket, records: UploadRecords) -> None:
        self.bucket = bucket
        self._records = records
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
        except StoreUnavailable:
            # Another attempt would let the client wait once more. It sends the bytes
            # of this request again.
            with suppress(Exception):
                upload.close(is_synced=False)
            raise
        except BaseException:
            # The error of the request says more than one of the store.
            with suppress(Exception):
                upload.close()
            raise
        if upload.is_committed:
            upload.drop_unneeded()
        else:
            upload.close()

    def resume_commit(self, uuid: str, digest: Digest) -> Place | None:
        """Return None: :meth:`open_upload` opens a session until its blob is
        recorded."""
        return None

    def read_upload(self, uuid: str) -> t.BinaryIO:
        """Read the bytes of an upload session of this process.

        :raises FileNotFoundError: if the session is absent, or of another process.
        """
        with self._spooling:
            spool = self._spools.get(uuid)
            if spool is None:
                raise FileNotFoundError(uuid)
            return t.cast(t.BinaryIO, SpoolFile(os.dup(spool.fileno())))

    def forget_upload(self, uuid: str) -> None:
        """Delete what is left of an upload session whose blob has been recorded, which
        is a temporary file at most."""
        with self._spooling:
            spool = self._spools.pop(uuid, None)
        if spool is not None:
            spool.close()

    def discard_upload(self, uuid: str) -> None:
        """Delete an upload session, if it exists."""
        self.forget_upload(uuid)
        known = self._records.find_any(uuid)
        if known is None or not self._is_here(UploadState.from_text(known.state)):
            return
        found = self._records.end(uuid)
        if found is None:
            return
        state = UploadState.from_text(found.state)
        if state.key is not None:
            self.bucket.abort(state.key, state.upload_id or "")
        self.bucket.delete_many(state.objects)
        self._records.forget(uuid)

    def uploads(self, unreadable: list[str] | None = None) -> Iterator[StoredUpload]:
        """Yield the upload sessions whose bytes are in this bucket."""
        for found in self._records.all():
            if self._is_here(UploadState.from_text(found.state)):
                yield StoredUpload(found.uuid, found.touched_at)

    def active_keys(self) -> set[str]:
        """Return the keys of the objects of all upload sessions."""
        return {
            key
            for record in self._records.all()
            for key in UploadState.from_text(record.state).objects
        }

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
        try:
            while (found := self._records.claim(uuid, lease, LEASE)) is None:
                if time.monotonic() > end_at:
                    raise busy(uuid)
                time.sleep(PAUSE)
        except RegistryError:
            raise
        except Exception:
            # The database may have given the lease without an answer, and the client
            # comes back before it ends.
            with suppress(Exception):
                self._records.release(uuid, lease)
            raise
        return found

    def _spool_of(self, uuid: str) -> t.Callable[[bytes], object]:
        spool = self._spools.get(uuid)
        return (lambda _: None) if spool is None else spool.write


def _temporary_file() -> t.IO[bytes]:
    return tempfile.TemporaryFile(buffering=0)
