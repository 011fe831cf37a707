"""Buckets for tests: one in memory, and one that fails at a chosen call."""

from __future__ import annotations

import hashlib
import io
import threading
import time
import typing as t
from itertools import count

from ..errors import Unavailable
from ..storage.buckets import Body
from ..storage.buckets import Bucket
from ..storage.buckets import Head
from ..storage.buckets import NoSuchUpload
from ..storage.buckets import Part
from ..storage.buckets import StoredObject

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence


class MemoryBucket:
    """A bucket in the memory of this process, for ``OCI_STORAGE``.

    Like the strictest stores, it refuses small, unequal and missing parts.

    :param part_size: the size of a part in bytes.
    """

    def __init__(self, part_size: int = 64 * 1024) -> None:
        self.name = "memory"
        self.part_size = part_size
        self.objects: dict[str, tuple[bytes, float]] = {}
        """The bytes of each object, and the time of its writing."""

        self.uploads: dict[str, tuple[str, dict[int, tuple[Part, bytes]]]] = {}
        """The key and the parts of each multipart upload."""

        self._lock = threading.RLock()
        self._ids = count(1)

    def put(self, key: str, body: bytes | bytearray) -> None:
        """Write an object; see :class:`Bucket`."""
        with self._lock:
            self.objects[key] = (bytes(body), time.time())

    def create(self, key: str) -> str:
        """Begin a multipart upload; see :class:`Bucket`."""
        with self._lock:
            upload_id = f"upload-{next(self._ids)}"
            self.uploads[upload_id] = (key, {})
            return upload_id

    def part(
        self, key: str, upload_id: str, number: int, body: bytes | bytearray
    ) -> Part:
        """Write a part; see :class:`Bucket`."""
        with self._lock:
            etag = f"{hashlib.sha256(body).hexdigest()[:16]}-{next(self._ids)}"
            part = Part(number, etag, len(body))
            self._parts(key, upload_id)[number] = (part, bytes(body))
            return part

    def complete(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Turn parts into an object; see :class:`Bucket`."""
        with self._lock:
            stored = self._parts(key, upload_id)
            if [part.number for part in parts] != list(range(1, len(parts) + 1)):
                raise Unavailable("The parts are not consecutive.")
            if any(part.size != self.part_size for part in parts[:-1]):
                raise Unavailable("The parts are not equal.")
            if any(stored.get(p.number, (None,))[0] != p for p in parts):
                raise NoSuchUpload("InvalidPart")
            self.put(key, b"".join(stored[part.number][1] for part in parts))
            del self.uploads[upload_id]

    def abort(self, key: str, upload_id: str) -> None:
        """Delete the parts of an upload; see :class:`Bucket`."""
        with self._lock:
            self.uploads.pop(upload_id, None)

    def head(self, key: str) -> Head | None:
        """Return the properties of an object; see :class:`Bucket`."""
        found = self.objects.get(key)
        return None if found is None else Head(len(found[0]), found[1])

    def get(self, key: str, start: int = 0, stop: int | None = None) -> Body:
        """Read an object; see :class:`Bucket`."""
        found = self.objects.get(key)
        if found is None:
            raise FileNotFoundError(key)
        return io.BytesIO(found[0][start:stop])

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete objects; see :class:`Bucket`."""
        with self._lock:
            for key in keys:
                self.objects.pop(key, None)

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield objects by key; see :class:`Bucket`."""
        with self._lock:
            found = sorted(self.objects.items())
        for key, (body, modified_at) in found:
            if key.startswith(prefix) and key > after:
                yield StoredObject(key, len(body), modified_at)

    def sign(self, key: str, seconds: int, *, is_public: bool = False) -> None:
        """Return None: the memory has no URL; see :class:`Bucket`."""

    def _parts(self, key: str, upload_id: str) -> dict[int, tuple[Part, bytes]]:
        found = self.uploads.get(upload_id)
        if found is None or found[0] != key:
            raise NoSuchUpload(upload_id)
        return found[1]


#: The methods of a bucket that call the store.
_CALLS: t.Final = frozenset(
    {"put", "create", "part", "parts", "complete", "abort"}
    | {"head", "get", "delete_many", "list"}
)


class FaultyBucket:
    """A bucket whose calls fail once, before or after their effect.

    :param bucket: the bucket that works.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.name = bucket.name
        self.part_size = bucket.part_size
        self.calls: list[str] = []
        """The names of the calls since :meth:`fail`."""

        self.happened: str | None = None
        """The call that failed, or None."""

        self._at: int | None = None
        self._late = False

    def fail(self, at: int | None, *, late: bool = False) -> None:
        """Let one call fail.

        :param at: the index of the call, from 0; None lets all calls succeed.
        :param late: whether it fails after its effect.
        """
        self.calls, self.happened = [], None
        self._at, self._late = at, late

    def __getattr__(self, name: str) -> t.Any:
        call = getattr(self.bucket, name)
        if name not in _CALLS:
            return call

        def failing(*args: t.Any, **kwargs: t.Any) -> t.Any:
            self.calls.append(name)
            if len(self.calls) - 1 != self._at:
                return call(*args, **kwargs)
            self.happened = name
            if self._late:
                call(*args, **kwargs)
            raise Unavailable

        return failing
