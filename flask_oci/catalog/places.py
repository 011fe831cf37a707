"""Places in the rows of blobs, and the places that no blob needs."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..clock import utcnow
from ..spec.digest import Digest
from ..storage.place import Place

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .database import Condition
    from .database import Database


def place_of(row: Sequence[t.Any]) -> Place:
    """Return the place in the columns of :func:`columns_of`."""
    digest, size, store, location = row
    return Place(Digest.parse(digest), size, store, location)


def columns_of(blob: t.Any) -> tuple[t.Any, ...]:
    """Return the columns of a place.

    :param blob: the model of blobs, or the columns of its table.
    """
    return (blob.digest, blob.size, blob.store, blob.location)


def outside(blob: t.Any, store: str | None) -> Condition:
    """Return the condition that a blob is in another store, and not lost.

    :param blob: the model of blobs, or the columns of its table.
    :param store: the name of the store; None is the local disk.
    """
    if store is None:
        return sa.and_(blob.store.is_not(None), blob.location.is_not(None))
    elsewhere = sa.and_(blob.store != store, blob.location.is_not(None))
    return sa.or_(blob.store.is_(None), elsewhere)


def name_of(place: Place) -> str | None:
    """Return the location of a place in the table of discarded places, or None if it is
    the place of a lost object."""
    return str(place.digest) if place.is_local else place.location


def locking_place(database: Database) -> sa.Select[t.Any]:
    """Return the statement that locks the row of the blob with a ``digest``, and reads
    its key and its place."""
    columns = database.models.Blob.__table__.c
    return (
        sa.select(columns.id, *columns_of(columns))
        .where(columns.digest == sa.bindparam("digest"))
        .with_for_update()
    )


def lock_place(database: Database, digest: Digest) -> Place | None:
    """Lock the row of a blob, and return its place, or None if it is not recorded."""
    row = database.execute(locking_place(database), {"digest": str(digest)}).first()
    return None if row is None else place_of(row[1:])


def set_place(database: Database, before: Place, place: Place) -> None:
    """Change the place of a blob whose row is locked, and discard the former one."""
    discard(database, before)
    table = database.models.Blob.__table__
    database.execute(
        sa.update(table)
        .where(table.c.digest == str(before.digest))
        .values(store=place.store, location=place.location)
    )


def discard(database: Database, place: Place) -> None:
    """Record that no blob needs a place any more, within a transaction that has locked
    the row of the blob.

    The grace period of a place that is discarded again begins anew.
    """
    location = name_of(place)
    if location is None:
        return
    table = database.models.Discarded.__table__
    database.execute(sa.delete(table).where(is_discarded(database, place)))
    values = {"store": place.store, "location": location}
    database.execute(sa.insert(table), {**values, "discarded_at": utcnow()})


def is_discarded(database: Database, place: Place) -> Condition:
    """Return the condition for the rows of discarded places that name a place."""
    columns = database.models.Discarded.__table__.c
    return sa.and_(
        columns.location == name_of(place),
        columns.store.is_not_distinct_from(place.store),
    )
