"""The identity of the storage folder, as the database has it."""

from __future__ import annotations

import typing as t
import uuid

import sqlalchemy as sa

from ..clock import utcnow
from ..storage.place import Place
from .database import Database
from .database import newest
from .places import columns_of
from .places import place_of

#: The key of the only row.
_KEY: t.Final = 1


class StorageFolders:
    """Reads and sets the identity of the storage folder."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def identity(self) -> str | None:
        """Return the identity of the storage folder, or None if it has none."""
        found = self._db.execute(self._select()).scalar()
        return t.cast("str | None", found)

    def ensure(self, identity: str = "") -> str:
        """Return the identity of the storage folder, and set it if it has none.

        :param identity: the identity to set; empty sets a new one.
        """
        new = identity or str(uuid.uuid4())
        Folder = self._db.models.StorageFolder

        def work() -> str:
            self._db.insert_if_absent(
                Folder, id=_KEY, identity=new, adopted_at=utcnow()
            )
            return str(self._db.execute(newest(self._select())).scalar())

        return self._db.write(work)

    def replace(self) -> str:
        """Set a new identity, and return it."""
        new = str(uuid.uuid4())
        self._db.write(
            lambda: self._db.upsert(
                self._db.models.StorageFolder,
                {"id": _KEY},
                identity=new,
                adopted_at=utcnow(),
            )
        )
        return new

    def some_blobs(self, limit: int, *, newest: bool = False) -> list[Place]:
        """Return the places of some recorded blobs.

        :param limit: the maximum number of results.
        :param newest: whether to begin with the newest blobs.
        """
        Blob = self._db.models.Blob
        rows = self._db.session.execute(
            sa.select(*columns_of(Blob))
            .order_by(Blob.id.desc() if newest else Blob.id)
            .limit(limit)
        )
        return [place_of(row) for row in rows]

    def some_blobs_in(self, store: str | None, limit: int) -> list[Place]:
        """Return the places of some blobs that are recorded in a store.

        :param store: the name of the store; None is the local disk.
        """
        columns = self._db.models.Blob.__table__.c
        here = columns.store.is_not_distinct_from(store)
        if store is not None:
            here &= columns.location.is_not(None)
        statement = sa.select(*columns_of(columns)).where(here).limit(limit)
        return [place_of(row) for row in self._db.execute(statement)]

    def has_local_blobs(self) -> bool:
        """Return True if blobs are recorded on the local disk."""
        columns = self._db.models.Blob.__table__.c
        statement = sa.select(columns.id).where(columns.store.is_(None)).limit(1)
        return self._db.execute(statement).first() is not None

    def _select(self) -> sa.Select[t.Any]:
        columns = self._db.models.StorageFolder.__table__.c
        return sa.select(columns.identity).where(columns.id == _KEY)
