"""Rows of new blobs, which the totals of the site count."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from ..clock import utcnow
from . import totals
from .dialects import MYSQL

if t.TYPE_CHECKING:
    from ..storage.place import Place
    from .database import Database


def link_at(database: Database, repository_id: int, place: Place) -> bool:
    """Insert a blob, unless it exists, and link it to a repository, unless it is at
    another place.

    MariaDB cannot add to the totals in the insert, as :func:`insert` does. It looks for
    the blob in the statements that write, so that the counter adds none to a push.

    :return: False if nothing has been linked: the blob is at another place, or the
        database looks for it in a statement of its own.
    """
    if database.dialect not in MYSQL:
        return False
    table = database.models.Blob.__table__
    values = _columns(place)
    known = sa.exists().where(table.c.digest == str(place.digest))
    new = sa.select(*(sa.literal(v, table.c[name].type) for name, v in values.items()))
    insert = sa.insert(table).from_select([*values], new.where(~known))
    if database.change(insert):
        database.add_to_totals(blobs=1, bytes=place.size)
    return bool(database.change(_link(database, repository_id, place)))


def _link(database: Database, repository_id: int, place: Place) -> sa.Insert:
    link = database.models.RepositoryBlob.__table__
    blob = database.models.Blob.__table__
    now = sa.literal(utcnow(), link.c.leased_at.type)
    row = sa.select(
        sa.literal(repository_id, link.c.repository_id.type), blob.c.id, now
    ).where(
        blob.c.digest == str(place.digest),
        blob.c.store.is_not_distinct_from(place.store),
        blob.c.location.is_not_distinct_from(place.location),
    )
    inserting = mysql.insert(link).from_select(
        ["repository_id", "blob_id", "leased_at"], row
    )
    return inserting.on_duplicate_key_update(leased_at=now)


def insert(database: Database, place: Place) -> int:
    """Insert a blob, and return its key.

    An insert that tolerates an existing row would use up a key for each push of a known
    blob. After a concurrent insert, the whole transaction is retried.
    """
    added = totals.Totals(blobs=1, bytes=place.size)
    inserting = sa.insert(database.models.Blob.__table__)
    if database.dialect == "postgresql":
        # A statement of its own for the counter would be one more in each push.
        counted = totals.adding(database, added).cte("counted")
        number = sa.select(sa.func.count()).select_from(counted).scalar_subquery()
        row = database.execute(
            inserting.add_cte(counted).returning(inserting.table.c.id, number),
            _columns(place),
        ).one()
        if not row[1]:
            database.add_to_totals(**added._asdict())
        return int(row[0])
    database.add_to_totals(**added._asdict())
    inserted: t.Any = database.execute(inserting, _columns(place))
    return int(inserted.inserted_primary_key[0])


def _columns(place: Place) -> dict[str, t.Any]:
    """Return the columns of a new blob."""
    return {
        "digest": str(place.digest),
        "size": place.size,
        "store": place.store,
        "location": place.location,
        # SQLAlchemy computes no default in a statement with a CTE or a query.
        "created_at": utcnow(),
    }
