"""The places of blobs: moves, losses, and the places that no blob needs."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..spec.digest import Digest
from ..storage.place import Place
from .bucket_uploads import consume
from .places import columns_of
from .places import discard
from .places import is_discarded
from .places import lock_place
from .places import outside
from .places import place_of
from .places import set_place

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .database import Database


class DiscardedPlace(t.NamedTuple):
    """A place that no blob needed when it was discarded."""

    id: int
    store: str | None
    location: str


class StoreUsage(t.NamedTuple):
    """The blobs in a store."""

    store: str | None
    """The name of the store; None is the local disk."""

    blobs: int
    bytes: int
    lost: int
    """The number of these blobs whose objects are known to be lost."""

    discarded: int
    """The number of places that no blob needs, and that are not deleted yet."""


class BlobPlaces:
    """Finds and changes the places of blobs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, digest: Digest) -> Place | None:
        """Return the place of a blob, or None if it is not recorded."""
        columns = self._db.models.Blob.__table__.c
        row = self._db.execute(
            sa.select(*columns_of(columns)).where(columns.digest == str(digest))
        ).first()
        return None if row is None else place_of(row)

    def move(self, before: Place, after: Place, *, is_new: bool = True) -> bool:
        """Record that a blob has been copied to another place, in a transaction of its
        own, and discard the former place.

        :param is_new: whether the bytes at ``after`` come from an upload session.
        :return: False if the blob has been deleted or is at another place; ``after`` is
            then discarded.
        :raises BlobUploadUnknown: if the session has ended; its object is deleted.
        """

        def work() -> bool:
            found = lock_place(self._db, before.digest)
            if after.location is not None:
                consume(self._db, after, is_new=is_new)
            if found == before:
                set_place(self._db, before, after)
            elif found != after:
                discard(self._db, after)
            return found == before

        return self._db.write(work)

    def lose(self, place: Place) -> bool:
        """Record that the object of a blob is lost or damaged. Clients get 404 until
        one of them pushes the blob again.

        :return: False if the blob is at another place.
        """

        def work() -> bool:
            if lock_place(self._db, place.digest) != place:
                return False
            set_place(self._db, place, place._replace(location=None))
            return True

        return self._db.write(work)

    def discard(self, places: Sequence[Place]) -> None:
        """Record that no blob needs some objects."""

        def work() -> None:
            for place in places:
                discard(self._db, place)

        self._db.write(work)

    def is_discarded(self, place: Place) -> bool:
        """Return True if a place is discarded."""
        columns = self._db.models.Discarded.__table__.c
        statement = sa.select(columns.id).where(is_discarded(self._db, place))
        return self._db.execute(statement.limit(1)).first() is not None

    def discarded_digests(self, digests: Sequence[Digest]) -> set[str]:
        """Return the given digests whose files on the local disk are discarded."""
        columns = self._db.models.Discarded.__table__.c
        return set(
            self._db.execute(
                sa.select(columns.location).where(
                    columns.store.is_(None), columns.location.in_(map(str, digests))
                )
            ).scalars()
        )

    def discarded(
        self, before: datetime, after: int, limit: int
    ) -> list[DiscardedPlace]:
        """Return places that were discarded before a moment, in the order of their key.

        :param after: the key after which to begin.
        :param limit: the maximum number of results.
        """
        columns = self._db.models.Discarded.__table__.c
        rows = self._db.execute(
            sa.select(columns.id, columns.store, columns.location)
            .where(columns.discarded_at < before, columns.id > after)
            .order_by(columns.id)
            .limit(limit)
        )
        return [DiscardedPlace(*row) for row in rows]

    def named(self, store: str, locations: Sequence[str]) -> set[str]:
        """Return the given locations of a store that are the place of a blob."""
        columns = self._db.models.Blob.__table__.c
        return set(
            self._db.execute(
                sa.select(columns.location).where(
                    columns.store == store, columns.location.in_(list(locations))
                )
            ).scalars()
        )

    def unneeded(self, places: Sequence[Place]) -> list[Place]:
        """Return the given objects that are neither the place of a blob nor
        discarded."""
        found = []
        for place in places:
            blob = self._db.models.Blob.__table__.c
            here = sa.and_(blob.store == place.store, blob.location == place.location)
            is_named = self._db.execute(sa.select(blob.id).where(here)).first()
            if is_named is None and not self.is_discarded(place):
                found.append(place)
        return found

    def forget(self, keys: Sequence[int]) -> None:
        """Delete rows of discarded places, whose bytes have been deleted or are needed
        again."""
        table = self._db.models.Discarded.__table__
        deleting = sa.delete(table).where(table.c.id.in_(list(keys)))
        self._db.write(lambda: self._db.change(deleting))

    def forget_place(self, place: Place) -> None:
        """Delete the row of a discarded place, whose bytes have been deleted."""
        table = self._db.models.Discarded.__table__
        deleting = sa.delete(table).where(is_discarded(self._db, place))
        self._db.write(lambda: self._db.change(deleting))

    def outside(self, store: str | None) -> tuple[int, int]:
        """Return the number and the size in bytes of the blobs in other stores, except
        those that are lost.

        :param store: the name of the store; None is the local disk.
        """
        columns = self._db.models.Blob.__table__.c
        row = self._db.execute(
            sa.select(
                sa.func.count(), sa.func.coalesce(sa.func.sum(columns.size), 0)
            ).where(outside(columns, store))
        ).one()
        return int(row[0]), int(row[1])

    def unread(self, stores: Sequence[str]) -> list[str]:
        """Return the stores that rows of blobs name, except the given ones."""
        columns = self._db.models.Blob.__table__.c
        others = columns.store.is_not(None) & columns.store.not_in(list(stores))
        statement = sa.select(columns.store).where(others).distinct()
        return sorted(self._db.execute(statement).scalars())

    def by_store(self) -> list[StoreUsage]:
        """Return the blobs of each store that rows name, the local disk first."""
        blob = self._db.models.Blob.__table__.c
        gone = self._db.models.Discarded.__table__.c
        lost = sa.case((blob.location.is_(None) & blob.store.is_not(None), 1), else_=0)
        held = self._db.execute(
            sa.select(
                blob.store, sa.func.count(), sa.func.sum(blob.size), sa.func.sum(lost)
            ).group_by(blob.store)
        ).all()
        discarded: dict[str | None, int] = {
            row[0]: row[1]
            for row in self._db.execute(
                sa.select(gone.store, sa.func.count()).group_by(gone.store)
            )
        }
        found = {
            row[0]: StoreUsage(
                row[0], row[1], int(row[2]), int(row[3]), discarded.pop(row[0], 0)
            )
            for row in held
        }
        found |= {s: StoreUsage(s, 0, 0, 0, count) for s, count in discarded.items()}
        return sorted(found.values(), key=lambda usage: usage.store or "")
