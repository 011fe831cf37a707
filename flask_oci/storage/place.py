"""Places: where the bytes of a blob are."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

from ..spec.digest import Digest


class Place(t.NamedTuple):
    """The place of a blob, as the row of the blob has it."""

    digest: Digest
    size: int
    """In bytes."""

    store: str | None = None
    """The name of the store that has the bytes; None is the local disk."""

    location: str | None = None
    """The name of the object in the store; None is the digest, on the local disk. In a
    store, None means that the object is lost."""

    @property
    def is_local(self) -> bool:
        """Whether the bytes are on the local disk, by their digest."""
        return self.store is None


@lru_cache(maxsize=64)
def nginx_name(store: str) -> str:
    """Return the name of a store in the locations of nginx, such as
    ``s3-forge-images`` for ``s3://forge-images``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", store)


def object_at(store: str | None, location: str, size: int = 0) -> Place:
    """Return the place of an object whose digest is not known.

    :param size: in bytes.
    """
    return Place(_UNKNOWN, size, store, location)


#: The digest of no bytes, instead of one that is not known.
_UNKNOWN: t.Final = Digest.of(b"")


class StoredObject(t.NamedTuple):
    """An object in a list of the objects of a store."""

    key: str
    """Its name, which is the location of a blob."""

    size: int
    """In bytes."""

    modified_at: float
    """The time of the last write, in seconds since the epoch."""
