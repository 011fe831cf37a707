"""Repositories side by side, for the pages that list them."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ..models import as_utc
from .database import Condition
from .database import Database
from .repositories import RepositoryInfo

#: By what a list of repositories can be ordered.
Order = t.Literal["name", "pushed"]


class Place(t.NamedTuple):
    """Where in a list of repositories the next page begins: behind this one."""

    name: str
    pushed_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository in a list."""

    info: RepositoryInfo
    description: str
    pushed_at: datetime
    pull_count: int
    """How often manifests of it were pulled, up to a while ago."""

    @property
    def place(self) -> Place:
        """Where a page that begins behind it begins."""
        return Place(self.info.name, self.pushed_at)


class Figures(t.NamedTuple):
    """How much there is in a repository."""

    tags: int = 0
    bytes: int = 0
    """Of its blobs, each of them once. Other repositories may share them."""


class Overview:
    """Lists repositories that something has been pushed to, whatever is in them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page(
        self,
        limit: int,
        condition: Condition | None,
        *,
        search: str = "",
        under: str = "",
        order: Order = "name",
        behind: Place | None = None,
    ) -> list[Listed]:
        """List repositories.

        :param limit: how many to return at the most.
        :param condition: what to list; None lists all.
        :param search: what their names have in them, in lower case.
        :param under: the name of one, or the first components of some.
        :param order: by name, or the last pushed to first.
        :param behind: where to begin.
        """
        Repository = self._db.models.Repository
        name, pushed = Repository.name, Repository.pushed_at
        statement = sa.select(
            name,
            Repository.id,
            Repository.owner_id,
            Repository.visibility,
            Repository.description,
            pushed,
            Repository.pull_count,
        ).where(pushed.is_not(None))
        if condition is not None:
            statement = statement.where(condition)
        if search:
            statement = statement.where(name.contains(search, autoescape=True))
        if under:
            inside = name.startswith(f"{under}/", autoescape=True)
            statement = statement.where(sa.or_(name == under, inside))
        if order == "pushed":
            statement = statement.order_by(pushed.desc(), name)
        if behind is not None:
            later = name > behind.name
            if order == "pushed":
                later = sa.or_(
                    pushed < behind.pushed_at,
                    sa.and_(pushed == behind.pushed_at, later),
                )
            statement = statement.where(later)
        rows = self._db.session.execute(statement.order_by(name).limit(limit))
        return [
            Listed(RepositoryInfo(*row[:4]), row[4] or "", as_utc(row[5]), row[6])
            for row in rows
        ]

    def about(self, repository_id: int) -> Listed | None:
        """Return what a list would say about one repository, pushed to or not."""
        Repository = self._db.models.Repository
        row = self._db.session.execute(
            sa.select(
                Repository.name,
                Repository.id,
                Repository.owner_id,
                Repository.visibility,
                Repository.description,
                sa.func.coalesce(Repository.pushed_at, Repository.created_at),
                Repository.pull_count,
            ).where(Repository.id == repository_id)
        ).first()
        return (
            Listed(RepositoryInfo(*row[:4]), row[4] or "", as_utc(row[5]), row[6])
            if row
            else None
        )

    def figures(self, repository_ids: Sequence[int]) -> dict[int, Figures]:
        """Return how much there is in each of some repositories, by their keys."""
        models = self._db.models
        Tag, Blob, Link = models.Tag, models.Blob, models.RepositoryBlob
        tags = dict(
            self._counts(
                sa.select(Tag.repository_id, sa.func.count())
                .where(Tag.repository_id.in_(repository_ids))
                .group_by(Tag.repository_id)
            )
        )
        sizes = dict(
            self._counts(
                sa.select(Link.repository_id, sa.func.sum(Blob.size))
                .join(Blob, Blob.id == Link.blob_id)
                .where(Link.repository_id.in_(repository_ids))
                .group_by(Link.repository_id)
            )
        )
        return {
            key: Figures(tags.get(key, 0), sizes.get(key, 0)) for key in repository_ids
        }

    def _counts(self, statement: t.Any) -> list[tuple[int, int]]:
        # MariaDB adds whole numbers up to a decimal.
        return [(key, int(count)) for key, count in self._db.session.execute(statement)]
