"""Consistency checks of the rows of blobs against the objects of stores."""

from __future__ import annotations

import typing as t

from ..clock import utcnow
from ..core.storage_identity import StorageIdentity
from ..errors import StorageForeign
from ..errors import Unavailable
from ..storage.place import object_at
from .problem import Problem
from .problem import to_push

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..storage import Place
    from ..storage import Storage
    from ..storage import StoredObject

#: The number of objects that are looked up in one statement.
BATCH_SIZE: t.Final = 500

#: The age of an object, in seconds, below which it may belong to a running upload.
MIN_AGE: t.Final = 7 * 24 * 60 * 60


class ObjectChecker:
    """Compares the rows with the lists of the objects, both in the order of the
    locations.

    :param repair: whether to record what is lost, and to discard what no row needs.
    """

    def __init__(self, catalog: Catalog, storage: Storage, *, repair: bool) -> None:
        self._consistency = catalog.consistency
        self._places = catalog.blob_places
        self._release = catalog.release
        self._storage = storage
        self._identity = StorageIdentity(catalog, storage)
        self._repair = repair

    def check(self) -> Iterator[Problem]:
        """Yield the problems of all stores."""
        for place in self._consistency.lost_blobs():
            yield from self._lost(place)
        for store in self._storage.stores():
            try:
                self._identity.verify_part(store)
                self._release()
                yield from self._check(store)
            except StorageForeign as error:
                yield Problem(
                    "foreign", store, f"{error.problem} Correct OCI_STORAGE_ALSO."
                )
            except Unavailable as error:
                yield Problem("unreadable", store, error.message)

    def _check(self, store: str) -> Iterator[Problem]:
        unneeded: list[StoredObject] = []
        for place, found in self._merged(store):
            if place is None:
                unneeded.append(t.cast("StoredObject", found))
            elif found is None or found.size != place.size:
                yield from self._absent(place)
            if len(unneeded) >= BATCH_SIZE:
                yield from self._unneeded(store, unneeded)
                unneeded = []
        yield from self._unneeded(store, unneeded)

    def _merged(self, store: str) -> Iterator[tuple[Place | None, StoredObject | None]]:
        """Yield each row with its object, rows without an object, and objects without a
        row."""
        rows = self._consistency.blobs_in(store)
        objects = self._storage.objects(store)
        row, found = next(rows, None), next(objects, None)
        while row is not None or found is not None:
            key = None if row is None else (row.location or "").encode()
            name = None if found is None else found.key.encode()
            if name is None or (key is not None and key < name):
                yield row, None
                row = next(rows, None)
            elif key is None or name < key:
                yield None, found
                found = next(objects, None)
            else:
                yield row, found
                row, found = next(rows, None), next(objects, None)

    def _absent(self, place: Place) -> Iterator[Problem]:
        # It may have been deleted, moved or pushed again since it was listed.
        if self._places.find(place.digest) != place:
            return
        self._release()
        size = self._storage.stored_size(place)
        if size == place.size:
            return
        if self._repair and self._places.lose(place):
            needed_by = self._consistency.forget_blob(place._replace(location=None))
        else:
            needed_by = []
        what = "no object" if size is None else f"an object of {size} bytes"
        yield Problem(
            "lost" if size is None else "damaged",
            str(place.digest),
            f"The blob should have {place.size} bytes and has {what} at"
            f" {place.location} in the store {place.store}." + to_push(needed_by),
            repaired=self._repair and not needed_by,
        )

    def _lost(self, place: Place) -> Iterator[Problem]:
        needed_by = []
        if self._repair:
            needed_by = self._consistency.forget_blob(place)
        yield Problem(
            "lost",
            str(place.digest),
            f"The object of the blob in the store {place.store} was lost."
            + to_push(needed_by),
            repaired=self._repair and not needed_by,
        )

    def _unneeded(self, store: str, found: list[StoredObject]) -> Iterator[Problem]:
        limit = utcnow().timestamp() - MIN_AGE
        places = [
            object_at(store, each.key, each.size)
            for each in found
            if each.modified_at < limit
        ]
        unneeded = self._places.unneeded(places)
        self._release()
        if self._repair and unneeded:
            self._places.discard(unneeded)
        for place in unneeded:
            yield Problem(
                "unrecorded",
                f"{store}: {place.location}",
                "The object has no row, because an upload was interrupted or an older"
                " database was restored. With --repair, garbage collection deletes it"
                " after the grace period.",
                repaired=self._repair,
                harmless=True,
            )
