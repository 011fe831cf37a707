"""A storage that reads more than one store, such as the former one of a registry."""

from __future__ import annotations

import typing as t
from collections import defaultdict

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from .place import Place
    from .place import StoredObject
    from .protocol import Storage
    from .protocol import StoredUpload


class CombinedStorage:
    """A :class:`~flask_oci.storage.Storage` that stores new blobs in one place, and
    reads those that are elsewhere.

    All methods that are not defined here are those of ``default``.

    :param default: receives all new blobs, and reads those on the local disk.
    :param others: are only read, and receive deletions and migrated blobs.
    """

    has_locations = True

    def __init__(self, default: Storage, others: Sequence[Storage]) -> None:
        self._default = default
        self._others = others

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._default, name)

    def part(self, store: str | None) -> Storage | None:
        """Return the storage that has the blobs of a store, or None."""
        parts = (each.part(store) for each in (self._default, *self._others))
        return next((part for part in parts if part is not None), None)

    def stores(self) -> list[str]:
        """Return the names of all object stores, that of new blobs first."""
        found = [s for each in (self._default, *self._others) for s in each.stores()]
        return list(dict.fromkeys(found))

    def objects(self, store: str, after: str | None = None) -> Iterator[StoredObject]:
        """Yield the objects of a store; see :class:`Storage`."""
        part = self.part(store)
        return iter(()) if part is None else part.objects(store, after)

    def uploads(self, unreadable: list[str] | None = None) -> Iterator[StoredUpload]:
        """Yield the upload sessions of each store. A session continues in the store
        in which it began; it has ended once that store receives no new blobs."""
        for each in (self._default, *self._others):
            yield from each.uploads(unreadable)

    def discard_upload(self, uuid: str) -> None:
        """Delete an upload session, if it exists, in the store that has its bytes."""
        for each in (self._default, *self._others):
            each.discard_upload(uuid)

    def size(self, place: Place) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent."""
        part = self.part(place.store)
        return None if part is None else part.size(place)

    def stored_size(self, place: Place) -> int | None:
        """Return the size of a blob in bytes, or None if it is absent, and ask an
        object store for it."""
        part = self.part(place.store)
        return None if part is None else part.stored_size(place)

    def open(self, place: Place, start: int = 0, stop: int | None = None) -> t.BinaryIO:
        """Open a blob for reading; see :class:`Storage`."""
        part = self.part(place.store)
        if part is None:
            raise FileNotFoundError(place.location)
        return part.open(place, start, stop)

    def sign(self, place: Place, seconds: int, *, is_public: bool) -> str | None:
        """Return a URL by which a client can read a blob, or None."""
        part = self.part(place.store)
        return None if part is None else part.sign(place, seconds, is_public=is_public)

    def delete(self, places: Sequence[Place]) -> None:
        """Delete blobs, if they exist, in each store that is read."""
        grouped: dict[str | None, list[Place]] = defaultdict(list)
        for place in places:
            grouped[place.store].append(place)
        for store, found in grouped.items():
            part = self.part(store)
            if part is not None:
                part.delete(found)
