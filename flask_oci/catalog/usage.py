"""What takes the space, what is being pushed, and what a collection would free."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from . import references
from .database import Database
from .repository_info import RepositoryInfo


class Totals(t.NamedTuple):
    """How much there is, each blob counted once."""

    repositories: int
    blobs: int
    bytes: int


class RepositoryUsage(t.NamedTuple):
    """How much a repository links."""

    info: RepositoryInfo
    bytes: int
    alone: int
    """What of that no other repository links, of those that were asked about."""


class UploadRow(t.NamedTuple):
    """An upload session."""

    uuid: str
    repository: str
    user_id: t.Any
    started_at: datetime


class Usage:
    """Adds up what is recorded. Each method is a statement, or two."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def totals(self, owner_id: t.Any = None) -> Totals:
        """Return how much there is.

        :param owner_id: of whose repositories; None is of all.
        """
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        repositories = sa.select(sa.func.count(Repository.id))
        blobs = sa.select(sa.func.count(Blob.id), sa.func.sum(Blob.size))
        if owner_id is not None:
            repositories = repositories.where(Repository.owner_id == owner_id)
            blobs = blobs.where(
                sa.exists().where(
                    Link.blob_id == Blob.id,
                    Link.repository_id == Repository.id,
                    Repository.owner_id == owner_id,
                )
            )
        count, size = self._db.session.execute(blobs).one()
        found = self._db.session.scalar(repositories) or 0
        return Totals(found, count, int(size or 0))

    def sessions(self) -> int:
        """Return how many upload sessions have begun and not ended."""
        Upload = self._db.models.Upload
        return self._db.session.scalar(sa.select(sa.func.count(Upload.uuid))) or 0

    def by_repository(
        self, limit: int, offset: int, owner_id: t.Any = None
    ) -> list[RepositoryUsage]:
        """List repositories, those that link most first.

        :param limit: the maximum number of results.
        :param offset: how many to pass over.
        :param owner_id: whose to list; None lists all.
        """
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        counted = sa.select(Link.blob_id, sa.func.count().label("count"))
        if owner_id is not None:
            # Whether somebody else has the same blob in private must not show.
            own = sa.select(Repository.id).where(Repository.owner_id == owner_id)
            counted = counted.where(Link.repository_id.in_(own))
        links = counted.group_by(Link.blob_id).subquery()
        size = sa.func.coalesce(sa.func.sum(Blob.size), 0)
        only_here = sa.case((links.c.count == 1, Blob.size), else_=0)
        columns = (
            Repository.name,
            Repository.id,
            Repository.owner_id,
            Repository.visibility,
        )
        statement = (
            sa.select(*columns, size, sa.func.coalesce(sa.func.sum(only_here), 0))
            .join(Link, Link.repository_id == Repository.id, isouter=True)
            .join(Blob, Blob.id == Link.blob_id, isouter=True)
            .join(links, links.c.blob_id == Blob.id, isouter=True)
            .group_by(*columns)
            .order_by(size.desc(), Repository.name)
            .limit(limit)
            .offset(offset)
        )
        if owner_id is not None:
            statement = statement.where(Repository.owner_id == owner_id)
        return [
            RepositoryUsage(RepositoryInfo(*row[:4]), int(row[4]), int(row[5]))
            for row in self._db.session.execute(statement)
        ]

    def by_owner(self, limit: int) -> list[tuple[t.Any, int]]:
        """List the keys of owners and what theirs link, each blob once for each of
        them, those that link most first."""
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        held = (
            sa.select(Repository.owner_id, Blob.id, Blob.size)
            .join(Link, Link.repository_id == Repository.id)
            .join(Blob, Blob.id == Link.blob_id)
            .distinct()
            .subquery()
        )
        size = sa.func.sum(held.c.size)
        rows = self._db.session.execute(
            sa.select(held.c.owner_id, size)
            .group_by(held.c.owner_id)
            .order_by(size.desc())
            .limit(limit)
        )
        return [(key, int(count)) for key, count in rows]

    def collectable(self, before: datetime) -> tuple[int, int]:
        """Return how many blobs, and bytes, no manifest needs and no client has
        relied on since ``before``.

        A collection also deletes manifests that have had no tag for too long, where
        the host has set that; what these need is not counted here.
        """
        models = self._db.models
        Blob, Link = models.Blob, models.RepositoryBlob
        needed = references.needing(self._db, Link.repository_id, Blob.digest)
        kept = sa.exists().where(
            Link.blob_id == Blob.id,
            sa.or_(Link.leased_at >= before, needed.correlate(Blob, Link)),
        )
        count, size = self._db.session.execute(
            sa.select(sa.func.count(Blob.id), sa.func.sum(Blob.size)).where(~kept)
        ).one()
        return count, int(size or 0)

    def uploads(self, limit: int, repository_id: int | None = None) -> list[UploadRow]:
        """List upload sessions, the last one that was begun first.

        :param limit: the maximum number of results.
        :param repository_id: of which repository; None is of all.
        """
        Repository, Upload = self._db.models.Repository, self._db.models.Upload
        statement = (
            sa.select(Upload.uuid, Repository.name, Upload.user_id, Upload.started_at)
            .join(Repository, Repository.id == Upload.repository_id)
            .order_by(Upload.started_at.desc(), Upload.uuid)
            .limit(limit)
        )
        if repository_id is not None:
            statement = statement.where(Upload.repository_id == repository_id)
        rows = (UploadRow(*row) for row in self._db.session.execute(statement))
        return [row._replace(started_at=as_utc(row.started_at)) for row in rows]
