"""Blobs: their records and the links from repositories."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timedelta
from functools import cached_property

import sqlalchemy as sa

from ..changes import BLOB_DELETED
from ..changes import Change
from ..clock import as_utc
from ..clock import utcnow
from ..rules.blocks import Ban
from ..spec.digest import Digest
from ..storage.place import Place
from . import references
from .blocks import bans_of
from .blocks import Blocks
from .blocks import with_bans
from .bucket_uploads import consume
from .database import Condition
from .database import Database
from .database import newest
from .locked_repository import LockedRepository
from .new_blobs import insert
from .new_blobs import link_at
from .places import columns_of
from .places import discard
from .places import locking_place
from .places import place_of
from .places import set_place
from .references import Removal
from .repository_info import RepositoryInfo
from .retries import FAILURES

#: The maximum number of repositories to consider as the source of a blob.
HOLDERS: t.Final = 100

#: The maximum number of linking repositories that one statement looks through.
CANDIDATES: t.Final = 1000


class LinkedBlob(t.NamedTuple):
    """A blob that a repository may read."""

    repository_id: int
    blob_id: int
    size: int
    """In bytes."""

    leased_at: datetime
    """When the registry last told a client that the blob exists."""

    digest: Digest

    bans: tuple[Ban, ...]
    """The blocks of its digest, in the repository or in any path."""

    place: Place
    """Where its bytes are."""


class Blobs:
    """Links blobs to repositories. A repository can read only the blobs it links."""

    def __init__(self, database: Database, blocks: Blocks) -> None:
        self._db = database
        self._blocks = blocks

    def find(self, repository_id: int, digest: Digest) -> LinkedBlob | None:
        """Return a blob that the repository links, or None."""
        rows = self._db.reads.rows(
            self._linked, {"repository_id": repository_id, "digest": str(digest)}
        )
        if not rows:
            return None
        blob_id, size, leased_at, store, location = rows[0][:5]
        return LinkedBlob(
            repository_id,
            blob_id,
            size,
            as_utc(leased_at),
            digest,
            bans_of(row[5:] for row in rows),
            Place(digest, size, store, location),
        )

    def lease(self, blob: LinkedBlob, fresh_for: timedelta) -> bool:
        """Protect a link from garbage collection for the grace period.

        :param fresh_for: the age up to which a lease is not renewed, so that a client
            that checks every layer does not cause a write for each.
        :return: False if the link no longer exists.
        :raises Exception: if the database refuses the write, and no manifest protects
            the blob.
        """
        now = utcnow()
        if now - blob.leased_at < fresh_for:
            return True
        Link = self._db.models.RepositoryBlob
        renewing = (
            sa.update(Link.__table__)
            .where(
                Link.repository_id == blob.repository_id,
                Link.blob_id == blob.blob_id,
            )
            .values(leased_at=now)
        )
        try:
            return bool(self._db.write(lambda: self._db.change(renewing)))
        except FAILURES as error:
            self._db.note_unrecorded(error)
            if not references.users_of(self._db, blob.repository_id, blob.digest):
                raise
            return True

    def holders(
        self,
        digest: Digest,
        name: str | None,
        condition: Condition | None,
        own: Condition | None = None,
    ) -> list[tuple[RepositoryInfo, Place]]:
        """Return repositories that link a blob, each with the place of the blob.

        If thousands of repositories link it, only :data:`CANDIDATES` of them are
        considered, besides the caller's own.

        :param name: the only repository to return; None considers all.
        :param condition: the repositories to consider; None considers all.
        :param own: the condition for the caller's own repositories; None is none.
        """
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        found: t.Any = self._candidates(digest, own)
        if name is not None:
            found = Link.__table__
        statement = (
            sa.select(
                Repository.name,
                Repository.id,
                Repository.owner_id,
                Repository.visibility,
                Repository.upstream,
                *columns_of(Blob),
            )
            .join(found, found.c.repository_id == Repository.id)
            .join(Blob, found.c.blob_id == Blob.id)
            .where(Blob.digest == str(digest))
            .order_by(Repository.name)
            .limit(HOLDERS)
        )
        if name is not None:
            statement = statement.where(Repository.name == name)
        if condition is not None:
            statement = statement.where(condition)
        rows = self._db.session.execute(statement)
        return [(RepositoryInfo(*row[:5]), place_of(row[5:])) for row in rows]

    def _candidates(self, digest: Digest, own: Condition | None) -> sa.Subquery:
        """Return some repositories that link a blob, with the caller's own."""
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        linking = (
            sa.select(Link.repository_id, Link.blob_id)
            .join(Blob, Blob.id == Link.blob_id)
            .where(Blob.digest == str(digest))
        )
        some = linking.limit(CANDIDATES).subquery()
        mine = (
            linking.join(Repository, Repository.id == Link.repository_id)
            .where(sa.false() if own is None else own)
            .limit(HOLDERS)
            .subquery()
        )
        return sa.union(sa.select(some), sa.select(mine)).subquery()

    def link(
        self, repository: RepositoryInfo, place: Place, kept: Place | None = None
    ) -> None:
        """Record a blob whose bytes have been stored at a place, and link it to the
        repository.

        :param kept: the place at which the bytes are known to be stored already, or
            None. If the blob is still there, ``place`` is discarded, otherwise the
            former place of the blob.
        :raises Denied: if the digest is blocked in the repository.
        """
        self._blocks.check_push(repository, [str(place.digest)])
        if place.location is not None and place != kept:
            consume(self._db, place)
        if kept is None and link_at(self._db, repository.key, place):
            return
        self._upsert_link(repository.key, self._record(place, kept))

    def _record(self, place: Place, kept: Place | None) -> int:
        """Record that the bytes of a blob are at a place, and return the key of the
        blob."""
        # Transactions that first share the row and then change it end in a deadlock.
        reading = self._newest if place.is_local else self._locking
        row = self._db.execute(reading, {"digest": str(place.digest)}).first()
        if row is None:
            return insert(self._db, place)
        before = place_of(row[1:])
        if before == kept:
            discard(self._db, place)
        elif before != place:
            set_place(self._db, before, place)
        return int(row[0])

    def link_known(self, repository: RepositoryInfo, digest: Digest) -> bool:
        """Link a blob to the repository.

        :return: False if the blob has been deleted.
        :raises Denied: if the digest is blocked in the repository.
        """
        self._blocks.check_push(repository, [str(digest)])
        row = self._db.execute(self._newest, {"digest": str(digest)}).first()
        if row is None:
            return False
        self._upsert_link(repository.key, row.id)
        return True

    def _upsert_link(self, repository_id: int, blob_id: int) -> None:
        self._db.upsert(
            self._db.models.RepositoryBlob,
            {"repository_id": repository_id, "blob_id": blob_id},
            leased_at=utcnow(),
        )

    def unlink(
        self, repository_id: int, digest: Digest, by: t.Any, *, unless_used: bool
    ) -> Removal:
        """Delete the link of a blob from a repository, in a transaction of its own.

        :param by: the key of the user who makes the change.
        :param unless_used: whether to keep the link if a manifest needs the blob.
        """
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        here = Link.repository_id == repository_id

        def work() -> Removal:
            repository = LockedRepository(
                repository_id, self._db.lock_repository(repository_id)
            )
            if unless_used and (
                users := references.users_of(self._db, repository_id, digest)
            ):
                return Removal(False, users)
            # Only a repository that links the blob may postpone its collection.
            held = self._db.change(
                sa.update(Blob.__table__)
                .where(
                    Blob.digest == str(digest),
                    sa.exists().where(here, Link.blob_id == Blob.id),
                )
                .values(unlinked_at=utcnow())
            )
            if not held:
                return Removal(False, [])
            self._db.record_change(unlinked(repository, digest, by))
            blob_id = sa.select(Blob.id).where(Blob.digest == str(digest))
            self._db.session.execute(
                sa.delete(Link.__table__).where(
                    here, Link.blob_id == blob_id.scalar_subquery()
                )
            )
            return Removal(True, [])

        return self._db.write(work, by=by)

    @cached_property
    def _newest(self) -> sa.Select[t.Any]:
        columns = self._db.models.Blob.__table__.c
        return newest(
            sa.select(columns.id, *columns_of(columns)).where(
                columns.digest == sa.bindparam("digest")
            )
        )

    @cached_property
    def _locking(self) -> sa.Select[t.Any]:
        return locking_place(self._db)

    @cached_property
    def _linked(self) -> sa.Select[t.Any]:
        blob = self._db.models.Blob.__table__
        link = self._db.models.RepositoryBlob.__table__
        statement = sa.select(
            blob.c.id, blob.c.size, link.c.leased_at, blob.c.store, blob.c.location
        ).select_from(link.join(blob, link.c.blob_id == blob.c.id))
        return with_bans(
            statement, self._db.models, blob.c.digest, link.c.repository_id
        ).where(
            link.c.repository_id == sa.bindparam("repository_id"),
            blob.c.digest == sa.bindparam("digest"),
        )


def unlinked(repository: LockedRepository, digest: Digest, by: t.Any = None) -> Change:
    """Return the change that deletes a blob from a repository.

    :param by: the key of the user who makes the change; None is the garbage
        collection.
    """
    return Change(
        kind=BLOB_DELETED,
        repository=repository.name,
        repository_id=repository.id,
        digest=str(digest),
        by=by,
    )
