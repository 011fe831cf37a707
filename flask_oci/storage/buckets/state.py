"""The state of an upload session in a bucket, and the records in which it is kept.

The state is in the database, so that any process can continue the session. One process
at a time has the lease of a session; a state is saved only by the process that has it.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from ...spec.digest import Digest
from ..protocol import Hashed
from .protocol import Part

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class Tail(t.NamedTuple):
    """An object with the last bytes of a session."""

    key: str
    length: int
    """The number of its first bytes that belong to the session."""

    size: int
    """The size of the object in bytes."""

    @property
    def is_whole(self) -> bool:
        """Whether all bytes of the object belong to the session."""
        return self.length == self.size


@dataclass(frozen=True, slots=True)
class UploadState:
    """The stored bytes of an upload session: parts of a multipart upload, then the
    tail."""

    key: str | None = None
    """The object that the multipart upload becomes, or None without one."""

    upload_id: str | None = None
    parts: tuple[Part, ...] = ()
    parts_length: int = 0
    """The number of bytes in the parts, which may be thousands."""

    tail: Tail | None = None
    hashed: Hashed | None = None
    """The hash of the first bytes, if it is known."""

    is_sealed: bool = False
    """Whether the bytes have become, or are about to become, an object with the digest
    of ``hashed``."""

    store: str | None = field(default=None, compare=False)
    """The name of the bucket that has the bytes, or None if it is not recorded."""

    @property
    def length(self) -> int:
        """The number of stored bytes."""
        tail = 0 if self.tail is None else self.tail.length
        return self.parts_length + tail

    def with_part(self, part: Part) -> UploadState:
        """Return the state after another part."""
        length = self.parts_length + part.size
        return replace(self, parts=(*self.parts, part), parts_length=length)

    @property
    def location(self) -> str | None:
        """The key of the object that has, or will have, all bytes."""
        if self.parts:
            return self.key
        return None if self.tail is None else self.tail.key

    @property
    def objects(self) -> list[str]:
        """The keys of the objects that may exist."""
        tail = None if self.tail is None else self.tail.key
        return [key for key in (self.key, tail) if key is not None]

    def as_text(self) -> str:
        """Return the state as JSON."""
        hashed = self.hashed and [self.hashed.length, str(self.hashed.digest)]
        fields = {
            "key": self.key,
            "upload_id": self.upload_id,
            "parts": [[part.etag, part.size] for part in self.parts],
            "tail": self.tail,
            "hashed": hashed,
            "sealed": self.is_sealed,
            "store": self.store,
        }
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> UploadState:
        """Return the state of :meth:`as_text`."""
        found = json.loads(text)
        tail, hashed = found["tail"], found["hashed"]
        parts = tuple(Part(n, *part) for n, part in enumerate(found["parts"], 1))
        return cls(
            found["key"],
            found["upload_id"],
            parts,
            sum(part.size for part in parts),
            tail and Tail(*tail),
            hashed and Hashed(hashed[0], Digest.parse(hashed[1])),
            found["sealed"],
            found.get("store"),
        )


class UploadRecord(t.NamedTuple):
    """The record of an upload session."""

    uuid: str
    state: str
    length: int
    """The number of stored bytes."""

    touched_at: float
    """The time of the last bytes, in seconds since the epoch."""


class UploadRecords(t.Protocol):
    """The records of upload sessions in the database, and their leases.

    Leases use the clock of the database, so the clocks of the machines may differ.
    """

    def begin(self, uuid: str, state: str) -> None:
        """Insert the record of a session."""

    def find(self, uuid: str) -> UploadRecord | None:
        """Return the record of a session, or None if it is absent or has ended."""

    def find_any(self, uuid: str) -> UploadRecord | None:
        """Return the record of a session, also of an ended one, or None if it is
        absent."""

    def all(self) -> Iterator[UploadRecord]:
        """Yield the records of all sessions, also of ended ones."""

    def claim(self, uuid: str, lease: str, seconds: float) -> UploadRecord | None:
        """Give a lease to a process, unless another process has a valid one.

        :param lease: a random text that only this process knows.
        :param seconds: the length of the lease.
        :return: None if another process has a lease.
        :raises BlobUploadUnknown: if the session is absent or has ended.
        """

    def save(
        self,
        uuid: str,
        lease: str,
        state: UploadState,
        seconds: float,
    ) -> bool:
        """Save the state of a session, and renew the lease.

        :param seconds: the length of the lease from now; 0 ends it.
        :return: False if another process has taken the lease, or the session has ended.
        """

    def renew(self, uuid: str, lease: str, seconds: float) -> bool:
        """Renew a lease. The result is that of :meth:`save`."""

    def release(self, uuid: str, lease: str) -> None:
        """End a lease."""

    def end(self, uuid: str, lease: str | None = None) -> UploadRecord | None:
        """End a session, so that no process can continue it, and no blob can be
        recorded from it.

        :param lease: the lease with which it is ended; None ends it in any case.
        :return: its record, or None if it is absent, or has another lease.
        """

    def forget(self, uuid: str) -> None:
        """Delete the record of an ended session."""
