"""Space usage, upload sessions, and space that garbage collection would free."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..robot_key import key_of_row
from . import references
from .database import Database
from .repository_info import RepositoryInfo


class Totals(t.NamedTuple):
    """The numbers of repositories and blobs, and the blobs' size, each counted once."""

    repositories: int
    blobs: int
    bytes: int


class RepositoryUsage(t.NamedTuple):
    """The size of the blobs that a repository links."""

    info: RepositoryInfo
    bytes: int
    alone: int
    """The bytes that no other of the counted repositories links."""


class UploadRow(t.NamedTuple):
    """An upload session."""

    uuid: str
    repository: str
    user_id: t.Any
    started_at: datetime


class Usage:
    """Computes the usage. Each method executes one or two statements."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def totals(self, owner_id: t.Any = None) -> Totals:
        """Return the totals of all repositories, or of those of an owner.

        :param owner_id: the key of the owner; None counts all repositories.
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
        """Return the number of unfinished upload sessions."""
        Upload = self._db.models.Upload
        return self._db.session.scalar(sa.select(sa.func.count(Upload.uuid))) or 0

    def by_repository(
        self, limit: int, offset: int, owner_id: t.Any = None
    ) -> list[RepositoryUsage]:
        """Return the usage of repositories, the largest first.

        :param limit: the maximum number of results.
        :param offset: the number of repositories to skip.
        :param owner_id: the key of the owner; None lists all repositories.
        """
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        counted = sa.select(Link.blob_id, sa.func.count().label("count"))
        if owner_id is not None:
            # The result must not reveal that another owner has the same blob.
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
            Repository.upstream,
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
            RepositoryUsage(RepositoryInfo(*row[:5]), int(row[5]), int(row[6]))
            for row in self._db.session.execute(statement)
        ]

    def by_owner(self, limit: int) -> list[tuple[t.Any, int]]:
        """Return the keys of owners and the bytes that their repositories link, the
        largest first. Each blob counts once per owner.

        :param limit: the maximum number of results.
        """
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
        """Return the number and the bytes of the blobs that no manifest needs and whose
        leases are older than ``before``.

        If the host has set a lifetime for untagged manifests, a garbage collection also
        deletes these. The blobs that only they need are not counted here.
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
