"""Garbage collection of blobs: their rows, files without a row, and discarded
places."""

from __future__ import annotations

import typing as t
from collections import Counter
from contextlib import nullcontext
from functools import partial
from itertools import islice

from ..core.storage_identity import StorageIdentity
from ..spec.digest import Digest
from ..storage import Place
from ..storage.place import object_at

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog.blob_places import DiscardedPlace
    from ..storage import Storage
    from .gc_result import GarbageResult
    from .items import Items

#: The number of blobs that are looked up in one statement.
BATCH_SIZE: t.Final = 500

T = t.TypeVar("T")


class BlobCollector:
    """Deletes blobs that no repository needs, and their bytes.

    :param result: receives the deleted content.
    :param items: records the items that fail.
    :param before: the end of the grace period of content that may be deleted.
    :param dry_run: whether to find garbage without deleting it.
    :param checkpoint: called between two pieces, outside of transactions.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        result: GarbageResult,
        items: Items,
        before: datetime,
        *,
        dry_run: bool,
        checkpoint: Callable[[], object],
    ) -> None:
        self._catalog = catalog
        self._garbage = catalog.blob_garbage
        self._places = catalog.blob_places
        self._release = catalog.release
        self._storage = storage
        self._identity = StorageIdentity(catalog, storage)
        self._result = result
        self._items = items
        self._before = before
        self._dry_run = dry_run
        self._checkpoint = checkpoint

    def collect(self) -> None:
        """Delete the blobs that no repository links."""
        # A dry run ignores the links that it would have deleted.
        unneeded_links = Counter(digest for _, digest in self._result.links)
        unlinked = self._garbage.unlinked(
            self._before, unneeded_links if self._dry_run else {}
        )
        for digest in unlinked:
            self._release()
            self._checkpoint()
            with self._items.each(str(digest)), self._lock(digest):
                self._collect(digest)

    def collect_files(self) -> None:
        """Delete files without a row, which a crash between a rename and a commit
        leaves, unless they are younger than the grace period."""
        if not self._may_change_folder():
            return
        unreadable: list[str] = []
        for batch in unrecorded_files(self._catalog, self._storage, unreadable):
            self._checkpoint()
            for digest in batch:
                if self._is_older(digest):
                    with self._items.each(str(digest)), self._lock(digest):
                        # A push may have replaced the file since.
                        if self._is_older(digest):
                            self._delete_file(digest)
        self._result.failures += [f"{folder} is not readable." for folder in unreadable]

    def collect_discarded(self) -> None:
        """Delete the bytes at places that no blob needs, after the grace period."""
        if self._dry_run:
            return
        # Without a folder, its disk is not mounted, or another machine has it.
        folder = self._storage.part(None)
        has_folder = folder is not None and folder.has_blob_folder()
        after = 0
        while batch := self._places.discarded(self._before, after, BATCH_SIZE):
            self._release()
            self._checkpoint()
            after = batch[-1].id
            for store, places in _grouped(batch).items():
                if store is None:
                    if has_folder and self._may_change_folder():
                        self._delete_discarded_files(places)
                elif store in self._storage.stores():
                    with self._items.each(f"discarded objects of {store}"):
                        self._delete_objects(store, places)

    def _collect(self, digest: Digest) -> None:
        if self._dry_run:
            place = self._places.find(digest)
            self._release()
        else:
            place = self._garbage.delete(digest, self._before)
        if place is None:
            return
        if place.is_local:
            self._delete_file(digest)
        else:
            self._result.freed += place.size
            self._result.blobs.append(digest)

    def _delete_file(self, digest: Digest) -> None:
        """Delete the file of a locked blob, unless a row needs it."""
        place = Place(digest, 0)
        size = self._storage.size(place) or 0
        if self._dry_run or self._garbage.delete_file(
            digest, lambda: self._storage.delete([place])
        ):
            self._result.freed += size
            self._result.blobs.append(digest)

    def _delete_discarded_files(self, discarded: list[DiscardedPlace]) -> None:
        for each in discarded:
            digest = Digest.parse(each.location)
            place = Place(digest, 0)
            with self._items.each(each.location), self._lock(digest):
                # A younger file was pushed again since.
                if self._is_older(digest) and self._garbage.delete_file(
                    digest, partial(self._storage.delete, [place])
                ):
                    self._result.discarded += 1
                self._places.forget([each.id])

    def _delete_objects(self, store: str, discarded: list[DiscardedPlace]) -> None:
        self._identity.verify_part(store)
        # A restored database may name a place again.
        named = self._places.named(store, [each.location for each in discarded])
        self._release()
        unneeded = [each for each in discarded if each.location not in named]
        self._storage.delete([object_at(store, each.location) for each in unneeded])
        self._places.forget([each.id for each in discarded])
        self._result.discarded += len(unneeded)

    def _may_change_folder(self) -> bool:
        """Return True if the storage folder belongs to the database; otherwise, record
        a failure."""
        with self._items.each("files of the storage folder"):
            self._identity.verify_part(None)
            return True
        return False

    def _is_older(self, digest: Digest) -> bool:
        modified_at = self._storage.modified_at(digest)
        return modified_at is not None and modified_at < self._before.timestamp()

    def _lock(self, digest: Digest) -> t.ContextManager[None]:
        return nullcontext() if self._dry_run else self._storage.exclusive_lock(digest)


def _grouped(
    discarded: Iterable[DiscardedPlace],
) -> dict[str | None, list[DiscardedPlace]]:
    """Return discarded places by their store."""
    found: dict[str | None, list[DiscardedPlace]] = {}
    for each in discarded:
        found.setdefault(each.store, []).append(each)
    return found


def unrecorded_files(
    catalog: Catalog, storage: Storage, unreadable: list[str]
) -> Iterator[list[Digest]]:
    """Yield the digests of the files without a row, in lists of at most
    :data:`BATCH_SIZE`. Discarded files are left out: they have a grace period of their
    own.

    No database connection is held while the caller handles a list.

    :param unreadable: the list to which the folders are added that cannot be read.
    """
    for batch in _batched(storage.digests(unreadable), BATCH_SIZE):
        found = catalog.blob_garbage.unrecorded(batch)
        discarded = catalog.blob_places.discarded_digests(found) if found else ()
        catalog.release()
        yield [digest for digest in found if str(digest) not in discarded]


def _batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Yield items in lists of at most ``size``."""
    while batch := list(islice(items, size)):
        yield batch
