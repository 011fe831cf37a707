"""Garbage collection queries: blobs that no repository links, and their bytes."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..spec.digest import Digest
from ..storage.place import Place
from .places import discard
from .places import lock_place

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .database import Condition
    from .database import Database

#: How many digests are looked up in one statement.
BATCH_SIZE: t.Final = 500

#: How many keys of blobs one statement looks through.
KEY_RANGE: t.Final = 50_000


class BlobGarbage:
    """Finds blobs that no repository links, and deletes them.

    Each deletion checks again, in its own transaction, that the blob is unneeded.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def unlinked(
        self, before: datetime, doomed: t.Mapping[Digest, int]
    ) -> t.Iterator[Digest]:
        """Yield the blobs that no repository links, and no repository has deleted since
        ``before``. Each statement reads the blobs of a range of keys.

        :param doomed: the number of links to ignore, by blob.
        """
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        last = self._db.session.scalar(sa.select(sa.func.max(Blob.id))) or 0
        unlinked = sa.select(Blob.id, Blob.digest).where(
            self._forgotten(before), ~sa.exists().where(Link.blob_id == Blob.id)
        )
        for start in range(0, last + 1, KEY_RANGE):
            keys = Blob.id.between(start, start + KEY_RANGE - 1)
            rows = self._db.session.execute(unlinked.where(keys))
            found = {row.id: Digest.parse(row.digest) for row in rows}
            found |= self._only_doomed(before, doomed, keys)
            self._db.release()
            yield from (found[key] for key in sorted(found))

    def _only_doomed(
        self, before: datetime, doomed: t.Mapping[Digest, int], keys: t.Any
    ) -> dict[int, Digest]:
        """Return the blobs of a range of keys that have only links to ignore."""
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        found = {}
        digests = list(doomed)
        for start in range(0, len(digests), BATCH_SIZE):
            batch = digests[start : start + BATCH_SIZE]
            counted = (
                sa.select(Blob.id, Blob.digest, sa.func.count(Link.blob_id))
                .join(Link, Link.blob_id == Blob.id)
                .where(keys, self._forgotten(before))
                .where(Blob.digest.in_(map(str, batch)))
                .group_by(Blob.id, Blob.digest)
            )
            for key, text, count in self._db.session.execute(counted):
                digest = Digest.parse(text)
                if count <= doomed[digest]:
                    found[key] = digest
        return found

    def delete(self, digest: Digest, before: datetime) -> Place | None:
        """Delete the row of a blob if no repository links it, and none has deleted it
        since ``before``. The place of an object is discarded.

        :return: the place of the blob, or None if it was not deleted.
        """
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        deleting = sa.delete(Blob.__table__).where(
            Blob.digest == str(digest),
            self._forgotten(before),
            ~sa.exists().where(Link.blob_id == Blob.id),
        )

        def work() -> Place | None:
            # A push that links the blob holds its row. The deletion looks for links
            # when that push has ended; if it waited for the row itself, PostgreSQL
            # would not look again.
            place = lock_place(self._db, digest)
            if place is None or not self._db.change(deleting):
                return None
            self._db.add_to_totals(blobs=-1, bytes=-place.size)
            if not place.is_local:
                discard(self._db, place)
            return place

        return self._db.write(work)

    def delete_file(self, digest: Digest, delete: Callable[[], object]) -> bool:
        """Delete the file of a blob on the local disk, if no row needs the file.

        The row of the blob is locked, or its digest reserved, until the file is
        deleted. So a push of the same bytes either has recorded its file before, and
        the file stays, or records it afterwards, and notices that the file is absent.
        SQLite serves one machine, on which locks on files exclude each other.

        :param delete: deletes the file. It can be called again after a conflict.
        :return: True if it was called.
        """
        if self._db.dialect == "sqlite":
            is_unneeded = bool(self.unrecorded([digest]))
            self._db.release()
            if is_unneeded:
                delete()
            return is_unneeded
        return self._db.write(lambda: self._delete_file(digest, delete))

    def _delete_file(self, digest: Digest, delete: Callable[[], object]) -> bool:
        table = self._db.models.Blob.__table__
        place = lock_place(self._db, digest)
        if place is not None:
            if place.is_local:
                return False
            delete()
            return True
        # The unique digest makes another transaction that records it wait, and makes
        # this one wait for another that has not ended; it then runs again.
        self._db.execute(sa.insert(table), {"digest": str(digest), "size": 0})
        delete()
        self._db.execute(sa.delete(table).where(table.c.digest == str(digest)))
        return True

    def unrecorded(self, digests: t.Sequence[Digest]) -> list[Digest]:
        """Return the given digests that have no blob record on the local disk."""
        Blob = self._db.models.Blob
        known = set(
            self._db.session.scalars(
                sa.select(Blob.digest).where(
                    Blob.digest.in_(map(str, digests)), Blob.store.is_(None)
                )
            )
        )
        return [digest for digest in digests if str(digest) not in known]

    def _forgotten(self, before: datetime) -> Condition:
        Blob = self._db.models.Blob
        return sa.or_(Blob.unlinked_at.is_(None), Blob.unlinked_at < before)
