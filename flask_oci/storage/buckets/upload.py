"""Uploads to a bucket: each byte is written once, to the object that becomes the blob.

Up to a part is in memory. A small blob is one object. A larger one is a multipart
upload. If it arrives in several chunks, its last bytes are an object of their own
between two requests: the tail.
"""

from __future__ import annotations

import hashlib
import typing as t
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

from ...errors import SizeInvalid
from ...spec.digest import Digest
from ..hashed_upload import HashedUpload
from ..place import Place
from ..protocol import Hashed
from ..protocol import PIECE
from . import protocol
from .files import BucketFile
from .leased_session import LeasedSession
from .part_buffer import PartBuffer
from .protocol import NoSuchUpload
from .state import Tail
from .state import UploadState

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .protocol import Bucket
    from .state import UploadRecords


def new_key() -> str:
    """Return the key of a new object. It is not a digest, so the deletion of an older
    object never hits a new push of the same bytes."""
    name = str(uuid4())
    return f"data/{name[:2]}/{name}"


class BucketUpload(LeasedSession, HashedUpload):
    """A :class:`~flask_oci.storage.UploadFile` in a bucket.

    :param state: the state at its opening.
    :param spool: receives a copy of each piece.
    """

    def __init__(
        self,
        bucket: Bucket,
        records: UploadRecords,
        uuid: str,
        lease: str,
        state: UploadState,
        spool: Callable[[bytes], object],
    ) -> None:
        super().__init__(bucket, records, uuid, lease, state)
        self._spool = spool
        self._buffer = PartBuffer(bucket.part_size)
        # The object that a multipart upload has become in this request.
        self._completed: Tail | None = None
        self._is_copying = False
        self.is_committed = False
        """Whether the bytes have become an object. The transaction that records the
        blob deletes the record of the session."""

        self.hashed: Hashed | None = state.hashed

    @property
    def length(self) -> int:
        """The number of bytes, including those in memory."""
        return self._state.length + len(self._buffer)

    def truncate(self, length: int) -> None:
        """Cut the bytes to those at the opening or to none, unless they have become a
        blob."""
        if self._state.is_sealed or self._is_lost:
            return
        self._buffer = self._empty()
        self._state = self._opening if length else UploadState()
        if length and self._opening.parts and self._completed is not None:
            # The multipart upload was completed, and has no parts any more.
            if self._completed.size < length:
                raise self._lose()
            cut = self._completed._replace(length=length)
            self._state = UploadState(tail=cut, hashed=self._opening.hashed)
        self.hashed = self._state.hashed
        self._save()
        self.drop_unneeded()

    def sync(self, *, is_last: bool = False) -> None:
        """Store the bytes in memory. :meth:`close` saves the state."""
        is_first = not self._opening.length
        if is_last and is_first and self._buffer and self._state.parts:
            # If more bytes follow nevertheless, these are copied, once.
            self._flush()
        if self._buffer:
            self._put()
        self._state = replace(self._state, hashed=self.hashed)

    def commit(self, digest: Digest) -> Place:
        """Turn the bytes into an object, and return its place."""
        hashed = Hashed(self.length, digest)
        self._gather()
        self._state = replace(self._state, hashed=hashed)
        is_object = self._state == self._saved and not self._state.parts
        self._state = replace(self._state, is_sealed=True)
        if not is_object:
            # A completion that fails from now on is repeated from this record.
            self._save()
            self._complete()
            if not t.cast(Tail, self._state.tail).is_whole:
                self._gather()
                self._complete()
            if self._state != self._saved:
                self._save()
        self.is_committed = True
        location = t.cast(Tail, self._state.tail).key
        return Place(digest, hashed.length, self._bucket.name, location)

    def is_sealed(self, digest: Digest) -> bool:
        """Return True if an earlier request has received the last bytes of a blob."""
        hashed = self._opening.hashed
        is_its = hashed is not None and hashed.digest == digest
        return self._opening.is_sealed and is_its

    def close(self, *, is_synced: bool = True) -> None:
        """Save the state, release the lease, and delete objects that are not needed any
        more.

        :param is_synced: whether to store the bytes that arrived before.
        """
        if self._is_lost:
            return
        has_lease = True
        try:
            if is_synced and not self._state.is_sealed:
                self.sync()
                if self._state != self._saved or self._unanswered:
                    self._save(lease_for=0)
                    has_lease = False
        finally:
            if has_lease:
                self._records.release(self._uuid, self._lease)
        self.drop_unneeded()

    def _put(self) -> None:
        """Write the bytes in memory as an object, which is the tail."""
        key, size = new_key(), len(self._buffer)
        self._bucket.put(key, self._buffer.content())
        self._objects[key] = ""
        self._buffer = self._empty()
        self._state = replace(self._state, tail=Tail(key, size, size))

    def _receive(self, piece: bytes) -> None:
        self._spool(piece)
        # A process that was paused must not replace a part of the next one.
        self._renew()
        self._prepare()
        self._write(piece)

    def _prepare(self) -> None:
        """Arrange that more bytes may follow those at the opening."""
        if self._buffer:
            return
        state = self._state
        # An earlier request has tried to make a blob of them, or still does.
        was_sealed = state.is_sealed
        if was_sealed:
            self._state = replace(state, is_sealed=False)
        if not state.parts or state.tail is not None:
            return
        # Only the last part of a multipart upload may be short.
        if was_sealed or state.parts[-1].size < self._bucket.part_size:
            self._complete()
            self._save()

    def _write(self, piece: bytes) -> None:
        self._take_tail()
        size, view = self._bucket.part_size, memoryview(piece)
        while view:
            while len(self._buffer) == size:
                self._flush()
            view = view[self._buffer.add(view) :]

    def _take_tail(self) -> None:
        """Read the tail into memory; a long one is copied part by part."""
        before, tail = self._state, self._state.tail
        if tail is None:
            return
        self._state, self._is_copying = replace(before, tail=None), True
        try:
            with closing(BucketFile(self._bucket, tail.key, tail.size)) as file:
                file.begin(0, tail.length)
                self._copy(file, tail.length)
        except FileNotFoundError:
            raise self._lose() from None
        except BaseException:
            # The tail still has all its bytes.
            self._state, self._buffer = before, self._empty()
            raise
        finally:
            self._is_copying = False

    def _copy(self, file: BucketFile, length: int) -> None:
        while length:
            piece = file.read(min(length, PIECE))
            length -= len(piece)
            self._renew()
            self._write(piece)

    def _flush(self) -> None:
        """Write the bytes in memory as the next part, and save the state."""
        # The body may have stalled for longer than the lease.
        self._renew()
        state = self._state
        if state.key is None or state.upload_id is None:
            key = new_key()
            upload_id = self._objects[key] = self._bucket.create(key)
            state = self._state = replace(state, key=key, upload_id=upload_id)
        if (number := len(state.parts) + 1) > protocol.MAX_PARTS:
            raise SizeInvalid(
                f"The blob is larger than {protocol.MAX_PARTS} parts of"
                f" {self._bucket.part_size} bytes, the limit of an object store.",
                status=413,
            )
        key, upload_id = t.cast(str, state.key), t.cast(str, state.upload_id)
        try:
            body = self._buffer.content()
            part = self._bucket.part(key, upload_id, number, body)
        except (NoSuchUpload, FileNotFoundError):
            self._reopen(state)
            return
        self._state = state.with_part(part)
        self._buffer.clear()
        if not self._is_copying:
            self._save()

    def _reopen(self, state: UploadState) -> None:
        """Continue after an upload that was completed by an earlier attempt, which had
        no answer: its object is copied."""
        key, rest = t.cast(str, state.key), bytes(self._buffer.content())
        found = self._bucket.head(key)
        if found is None or found.size < state.length or self._is_copying:
            raise self._lose()
        self._buffer = self._empty()
        self._completed = Tail(key, state.length, found.size)
        self._state = UploadState(tail=self._completed, hashed=state.hashed)
        self._write(rest)

    def _gather(self) -> None:
        """Arrange that the bytes are one object, or the parts of one."""
        tail = self._state.tail
        if tail is not None and (self._state.parts or not tail.is_whole):
            self._take_tail()
        while self._state.parts and self._buffer:
            self._flush()
        if self._buffer or self._state.location is None:
            self._put()

    def _complete(self) -> None:
        """Complete the multipart upload, if there is one."""
        state = self._state
        if not state.parts:
            return
        self._buffer = self._empty()
        key, size = t.cast(str, state.key), state.length
        whole = size
        try:
            self._bucket.complete(key, t.cast(str, state.upload_id), state.parts)
        except (NoSuchUpload, FileNotFoundError):
            # An earlier attempt may have succeeded without an answer.
            found = self._bucket.head(key)
            if found is None or found.size < size:
                raise self._lose() from None
            whole = found.size
        self._completed = Tail(key, size, whole)
        self._state = UploadState(
            tail=self._completed, hashed=state.hashed, is_sealed=state.is_sealed
        )

    def _digest(self, algorithm: str) -> Digest:
        """Hash all bytes, which become one object before."""
        hasher = hashlib.new(algorithm)
        if not self._state.length:
            hasher.update(self._buffer.content())
            return Digest(algorithm, hasher.hexdigest())
        self._gather()
        if self._state.parts:
            # No other process may append to the parts meanwhile.
            self._state = replace(self._state, is_sealed=True)
            self._save()
        try:
            self._complete()
        finally:
            self._state = replace(self._state, is_sealed=False)
        self._save()
        tail = t.cast(Tail, self._state.tail)
        try:
            with closing(BucketFile(self._bucket, tail.key, tail.size)) as file:
                file.begin(0, tail.length)
                while piece := file.read(PIECE):
                    hasher.update(piece)
                    self._renew()
        except FileNotFoundError:
            raise self._lose() from None
        return Digest(algorithm, hasher.hexdigest())

    def _empty(self) -> PartBuffer:
        return PartBuffer(self._bucket.part_size)
