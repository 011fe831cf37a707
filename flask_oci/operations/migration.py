"""Moving blobs from one store to another, while clients push and pull."""

from __future__ import annotations

import typing as t
import uuid
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field

from ..core.storage_identity import StorageIdentity
from ..errors import Unavailable
from ..storage.protocol import PIECE
from .items import Items
from .rate_limit import RateLimit

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..spec.digest import Digest
    from ..storage import Place
    from ..storage import Storage
    from ..storage.protocol import Reader

#: The number of consecutive failures that end a migration.
MAX_FAILURES: t.Final = 10


@dataclass
class MigrationResult:
    """The result of a migration."""

    blobs: int = 0
    """The number of moved blobs."""

    bytes: int = 0
    """The size of these blobs in bytes."""

    failures: list[str] = field(default_factory=list)
    """The blobs that could not be moved, each with the reason. The next migration tries
    them again."""

    lost: list[Digest] = field(default_factory=list)
    """The blobs whose bytes are not in their store."""


class Migration:
    """Moves all blobs to one store.

    Each blob is copied, compared with its digest, and recorded at its new place in one
    transaction. Its former bytes are deleted by the collection after the grace period.
    So an interrupted migration has lost nothing, and the next one continues.

    :param target: the name of the store; None is the local disk.
    """

    def __init__(self, catalog: Catalog, storage: Storage, target: str | None) -> None:
        self._catalog = catalog
        self._places = catalog.blob_places
        self._storage = storage
        self._target = target
        self._identity = StorageIdentity(catalog, storage)
        self._result = MigrationResult()
        self._items = Items(self._result.failures, catalog.rollback)

    def remaining(self) -> tuple[int, int]:
        """Return the number and the size in bytes of the blobs to move."""
        return self._catalog.blob_places.outside(self._target)

    def run(
        self,
        rate: int | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> MigrationResult:
        """Move the blobs.

        :param rate: the maximum number of bytes to copy per second; None means no
            limit.
        :param progress: called with the number of bytes that have been copied since the
            last call.
        :raises ValueError: if the storage does not have the target.
        :raises StorageForeign: if the storage does not belong to the database.
        :raises Unavailable: if several blobs in a row could not be moved.
        """
        target = self._storage.part(self._target)
        if target is None:
            raise ValueError(f"This registry has no store {self._target!r}.")
        self._identity.verify()
        self._identity.verify_part(self._target, create=True)
        self._catalog.release()
        limit, failed = RateLimit(rate, progress), 0
        for place in self._catalog.consistency.blobs_outside(self._target):
            self._catalog.release()
            before = len(self._result.failures)
            with self._items.each(str(place.digest)):
                self._move(place, target, limit)
            failed = failed + 1 if len(self._result.failures) > before else 0
            if failed >= MAX_FAILURES:
                raise Unavailable(
                    f"The migration ended after {failed} failures in a row, the last:"
                    f" {self._result.failures[-1]}"
                )
        return self._result

    def _move(self, place: Place, target: Storage, limit: RateLimit) -> None:
        try:
            source = self._storage.open(place)
        except FileNotFoundError:
            # It may have been deleted or moved since it was listed.
            if self._places.find(place.digest) == place:
                self._result.lost.append(place.digest)
            return
        finally:
            self._catalog.release()
        with source:
            if self._copy(_Limited(source, limit), place, target):
                self._result.blobs += 1
                self._result.bytes += place.size

    def _copy(self, source: Reader, place: Place, target: Storage) -> bool:
        """Copy a blob, and record its new place.

        :return: False if the blob has been deleted or moved meanwhile.
        """
        session = str(uuid.uuid4())
        target.start_upload(session)
        try:
            with target.open_upload(session) as upload:
                upload.append(source, place.digest.algorithm, place.size)
                if upload.length != place.size or not upload.matches(place.digest):
                    raise Unavailable(
                        "The bytes have another digest. 'flask oci fsck --scrub"
                        " --repair' has the remedy."
                    )
                with target.shared_lock(place.digest):
                    after = upload.commit(place.digest)
                    is_moved = self._places.move(place, after)
                if is_moved:
                    self._confirm(place, after, target)
                return is_moved
        finally:
            with suppress(Unavailable):
                target.discard_upload(session)

    def _confirm(self, before: Place, after: Place, target: Storage) -> None:
        """Check that the new bytes are there, or record the former place again.

        If locks on files do not exclude other machines, the collection may have deleted
        an older file of the blob at the same time.
        """
        if target.stored_size(after) != after.size:
            self._places.move(after, before, is_new=False)
            raise Unavailable("The copy was deleted meanwhile. Try again.")


class _Limited:
    """A source of bytes that is read at a limited rate."""

    def __init__(self, source: t.BinaryIO, limit: RateLimit) -> None:
        self._source = source
        self._limit = limit

    def read(self, size: int = PIECE, /) -> bytes:
        piece = self._source.read(size)
        self._limit.wait_after(len(piece))
        return piece
