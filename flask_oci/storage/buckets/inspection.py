"""Inspections of buckets, for ``flask oci check``."""

from __future__ import annotations

import typing as t
from contextlib import closing
from uuid import uuid4

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .protocol import Bucket


class Inspection(t.NamedTuple):
    """The setup of a bucket. None is unknown: the store does not say, or the
    credentials may not ask."""

    is_public: bool | None = None
    """Whether anonymous clients can read its objects."""

    keeps_versions: bool | None = None
    """Whether it keeps deleted objects for ever."""

    aborts_uploads: bool | None = None
    """Whether it deletes the parts of multipart uploads that are never completed."""

    removes_blobs: Sequence[str] = ()
    """The names of the rules that delete blobs, or archive them."""

    behind: float | None = None
    """How far the clock of the store is behind that of the process, in seconds."""


@t.runtime_checkable
class Inspectable(t.Protocol):
    """A bucket that describes its setup."""

    def inspect(self, key: str) -> Inspection:
        """Return the setup of the bucket.

        :param key: the key of an existing object.
        """


def try_push(bucket: Bucket) -> None:
    """Write, read and delete an object, as a push and a collection do.

    :raises Unavailable: if one of them fails.
    """
    key = f"check/{uuid4()}"
    bucket.put(key, b"check")
    with closing(bucket.get(key)) as body:
        body.read(5)
    bucket.delete_many([key])
