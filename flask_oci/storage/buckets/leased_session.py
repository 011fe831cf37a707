"""An upload session that a request has leased: its saved state, and its objects."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress
from dataclasses import replace

from ...errors import BlobUploadUnknown
from ...errors import Unavailable
from ..hashed_upload import busy

if t.TYPE_CHECKING:
    from .protocol import Bucket
    from .state import UploadRecords
    from .state import UploadState

#: The length of a lease in seconds, and after how many seconds it is renewed.
LEASE: t.Final = 15
RENEW: t.Final = 4.0


class LeasedSession:
    """Saves the state of a session while the request has its lease.

    :param bucket: receives the bytes.
    :param records: the state of upload sessions.
    :param lease: the text that only this request knows.
    :param state: the state at its opening.
    """

    def __init__(
        self,
        bucket: Bucket,
        records: UploadRecords,
        uuid: str,
        lease: str,
        state: UploadState,
    ) -> None:
        self._bucket = bucket
        self._records = records
        self._uuid = uuid
        self._lease = lease
        self._opening = self._saved = self._state = state
        # The states that may have been saved, but whose commits had no answer.
        self._unanswered: list[UploadState] = []
        self._renew_at = time.monotonic() + RENEW
        # The objects that may exist, each with the id of its multipart upload, if any.
        self._objects = dict.fromkeys(state.objects, "")
        if state.key is not None:
            self._objects[state.key] = state.upload_id or ""
        self._is_lost = False

    def drop_unneeded(self, *needed: str) -> None:
        """Delete the objects of this request that the saved state does not need. If
        this fails, the consistency check does it, or a rule of the bucket.

        :param needed: the keys of other objects that are needed.
        """
        states = (self._saved, *self._unanswered)
        needed = (*needed, *(key for state in states for key in state.objects))
        with suppress(Unavailable):
            for key in [key for key in self._objects if key not in needed]:
                if upload_id := self._objects[key]:
                    self._bucket.abort(key, upload_id)
                # A completion without an answer may have made the object.
                self._bucket.delete_many([key])
                del self._objects[key]

    def _renew(self) -> None:
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew_at = now + RENEW
            self._check(self._records.renew(self._uuid, self._lease, LEASE))

    def _save(self, lease_for: float = LEASE) -> None:
        state = replace(self._state, store=self._bucket.name)
        self._unanswered.append(state)
        is_saved = self._records.save(self._uuid, self._lease, state, lease_for)
        self._unanswered.pop()
        self._check(is_saved)
        self._unanswered.clear()
        self._saved = self._state
        self._renew_at = time.monotonic() + RENEW

    def _check(self, has_lease: bool) -> None:
        if has_lease:
            return
        self._is_lost = True
        # Another process continues from the objects at the opening.
        self.drop_unneeded(*self._opening.objects)
        raise busy(self._uuid)

    def _lose(self) -> BlobUploadUnknown:
        """End the session, because the store has lost its bytes.

        :raises BlobUploadInvalid: if another process has the session, and has replaced
            them.
        """
        self._check(self._records.end(self._uuid, self._lease) is not None)
        self._is_lost = True
        return BlobUploadUnknown(detail=self._uuid)
