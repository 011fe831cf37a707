"""Space usage, upload sessions, and space that garbage collection would free."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..robot_key import key_of_row
from . import deleted_manifests
from . import owner_usage
from . import references
from . import repository_usage
from . import totals
from .collection_schedule import CollectionSchedule
from .database import Database
from .owner_usage import OwnerUsages
from .repository_info import RepositoryInfo
from .repository_statements import RepositoryStatements
from .repository_usage import RepositoryUsage
from .totals import Totals

#: The maximum number of changed repositories whose unneeded blobs are counted.
MAX_DUE: t.Final = 500


class Collectable(t.NamedTuple):
    """The blobs that a collection would delete."""

    blobs: int
    bytes: int
    is_complete: bool
    """False if so many repositories have changed that only some were counted."""


class UploadRow(t.NamedTuple):
    """An upload session."""

    uuid: str
    repository: str
    user_id: t.Any
    started_at: datetime


class Usage:
    """Computes the usage. Each method executes a bounded number of statements."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def totals(self) -> Totals:
        """Return the totals of the site."""
        return totals.read(self._db) or totals.count(self._db)

    def totals_of(self, owner_id: t.Any) -> Totals:
        """Return the totals of the repositories of an owner.

        :param owner_id: the key of the owner.
        """
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        repositories = sa.select(sa.func.count(Repository.id)).where(
            Repository.owner_id == owner_id
        )
        linked = (
            sa.select(Link.blob_id)
            .join(Repository, Repository.id == Link.repository_id)
            .where(Repository.owner_id == owner_id)
        )
        blobs = sa.select(sa.func.count(Blob.id), sa.func.sum(Blob.size))
        count, size = self._db.session.execute(blobs.where(Blob.id.in_(linked))).one()
        found = self._db.session.scalar(repositories) or 0
        return Totals(found, count, int(size or 0))

    def begin_totals(self) -> None:
        """Count the totals of the site, unless that was done before."""
        if totals.read(self._db) is None:
            totals.recount(self._db)
        self._db.release()

    def recount(self) -> None:
        """Count the totals of the site, and correct the counters."""
        totals.recount(self._db)

    def drift(self) -> Totals:
        """Return the difference between the totals and their counters."""
        if totals.read(self._db) is None:
            return Totals()
        return totals.drift(self._db)

    def wrongly_measured(self) -> t.Iterator[RepositoryInfo]:
        """Yield the repositories that have not changed since the last collection and
        whose recorded sizes are wrong."""
        table = self._db.models.Repository.__table__
        size = repository_usage.size_of(self._db, table.c.id)
        statement = (
            RepositoryStatements(self._db.models)
            .select()
            .add_columns(table.c.stored_bytes, size)
            .where(table.c.collect_at.is_not(None))
            .order_by(table.c.id)
            .limit(MAX_DUE)
        )
        last = 0
        while rows := self._db.execute(statement.where(table.c.id > last)).all():
            self._db.release()
            wrong = (row for row in rows if row[5] != int(row[6]))
            yield from (RepositoryInfo(*row[:5]) for row in wrong)
            last = rows[-1].id

    def sessions(self) -> int:
        """Return the number of unfinished upload sessions."""
        Upload = self._db.models.Upload
        return self._db.session.scalar(sa.select(sa.func.count(Upload.uuid))) or 0

    def by_repository(
        self, limit: int, offset: int, owner_id: t.Any = None
    ) -> list[RepositoryUsage]:
        """Return the usage of repositories, the largest first.

        If many repositories have changed since the last collection, the order is that
        of their sizes a short time ago.

        :param limit: the maximum number of results.
        :param offset: the number of repositories to skip.
        :param owner_id: the key of the owner; None lists all repositories.
        """
        return repository_usage.by_repository(self._db, limit, offset, owner_id)

    def by_owner(self, limit: int) -> OwnerUsages:
        """Return the owners whose repositories use the most space.

        :param limit: the maximum number of results.
        """
        return owner_usage.by_owner(self._db, limit)

    def collectable(self, before: datetime) -> Collectable:
        """Return the size of the blobs that no manifest needs and whose leases are
        older than ``before``.

        Only the repositories that the collection will visit have such blobs.

        If the host has set a lifetime for untagged manifests, a garbage collection also
        deletes these. The blobs that only they need are not counted here.
        """
        table = self._db.models.Repository.__table__
        due = sa.select(table.c.id).where(CollectionSchedule(self._db).due())
        statement = due.order_by(table.c.id).limit(MAX_DUE + 1)
        keys = list(self._db.execute(statement).scalars())
        models = self._db.models
        Blob, Link = models.Blob, models.RepositoryBlob
        needed = references.needing(self._db, Link.repository_id, Blob.digest)
        restorable = deleted_manifests.needing(
            self._db, Link.repository_id, Blob.digest
        )
        kept = sa.exists().where(
            Link.blob_id == Blob.id,
            sa.or_(
                Link.leased_at >= before,
                needed.correlate(Blob, Link),
                restorable.correlate(Blob, Link),
            ),
        )
        linked = sa.select(Link.blob_id).where(
            Link.repository_id.in_(keys[:MAX_DUE]), Link.leased_at < before
        )
        unlinked = sa.select(Blob.id).where(Blob.unlinked_at < before)
        count, size = self._db.session.execute(
            sa.select(sa.func.count(Blob.id), sa.func.sum(Blob.size)).where(
                Blob.id.in_(linked.union(unlinked)), ~kept
            )
        ).one()
        return Collectable(count, int(size or 0), len(keys) <= MAX_DUE)

    def uploads(self, limit: int, repository_id: int | None = None) -> list[UploadRow]:
        """Return upload sessions, the latest first.

        :param limit: the maximum number of results.
        :param repository_id: the key of the repository; None lists all sessions.
        """
        Repository, Upload = self._db.models.Repository, self._db.models.Upload
        robots = self._db.models.Robot.__table__.c
        login = sa.select(robots.login).where(robots.id == Upload.robot_id)
        statement = (
            sa.select(
                Upload.uuid,
                Repository.name,
                Upload.user_id,
                Upload.started_at,
                login.scalar_subquery(),
            )
            .join(Repository, Repository.id == Upload.repository_id)
            .order_by(Upload.started_at.desc(), Upload.uuid)
            .limit(limit)
        )
        if repository_id is not None:
            statement = statement.where(Upload.repository_id == repository_id)
        return [
            UploadRow(uuid, name, key_of_row(user_id, robot), as_utc(started_at))
            for uuid, name, user_id, started_at, robot in self._db.execute(statement)
        ]
