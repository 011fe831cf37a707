"""Repositories side by side, for the pages that list them."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from .database import Condition
from .database import Database
from .repositories import Repositories
from .repository_info import RepositoryInfo

#: By what a list of repositories can be ordered.
Order = t.Literal["name", "pushed"]


class Behind(t.NamedTuple):
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
    def place(self) -> Behind:
        """Where a page that begins behind it begins."""
        return Behind(self.info.name, self.pushed_at)


class Figures(t.NamedTuple):
    """How much there is in a repository."""

    tags: int = 0
    bytes: int = 0
    """Of its blobs, each of them once. Other repositories may share them."""


class RepositoryIndex:
    """Lists repositories that something has been pushed to, whatever is in them."""

    def __init__(self, database: Database, repositories: Repositories) -> None:
        self._db = database
        self._repositories = repositories

    def page(
        self,
        limit: int,
        condition: Condition | None,
        *,
        search: str = "",
        below: str = "",
        order: Order = "name",
        behind: Behind | None = None,
    ) -> list[Listed]:
        """List repositories.

        :param limit: the maximum number of results.
        :param condition: the repositories to list; None lists all.
        :param search: what their names have in them, in lower case.
        :param below: the name of one, or the first components of some.
        :param order: by name, or the last pushed to first.
        :param behind: where to begin.
        """
        Repository = self._db.models.Repository
        name, pushed = Repository.name, Repository.pushed_at
        statement = self._select(pushed).where(pushed.is_not(None))
        if condition is not None:
            statement = statement.where(condition)
        if search:
            statement = statement.where(name.contains(search, autoescape=True))
        if below:
            statement = statement.where(self._repositories.path_filter(below))
        if behind is not None:
            statement = statement.where(self._is_behind(behind, order))
        if order == "pushed":
            statement = statement.order_by(pushed.desc())
        rows = self._db.session.execute(statement.order_by(name).limit(limit))
        return [_listed(row) for row in rows]

    def about(self, repository_id: int) -> Listed | None:
        """Return what a list would say about one repository, pushed to or not."""
        Repository = self._db.models.Repository
        pushed = sa.func.coalesce(Repository.pushed_at, Repository.created_at)
        row = self._db.session.execute(
            self._select(pushed).where(Repository.id == repository_id)
        ).first()
        return _listed(row) if row else None

    def _select(self, pushed_at: t.Any) -> sa.Select[t.Any]:
        Repository = self._db.models.Repository
        return sa.select(
            Repository.name,
            Repository.id,
            Repository.owner_id,
            Repository.visibility,
            Repository.description,
            pushed_at,
            Repository.pull_count,
        )

    def _is_behind(self, place: Behind, order: Order) -> t.Any:
        Repository = self._db.models.Repository
        name, pushed = Repository.name, Repository.pushed_at
        later = name > place.name
        if order == "name":
            return later
        same = pushed == place.pushed_at
        return sa.or_(pushed < place.pushed_at, sa.and_(same, later))

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
        # MariaDB returns the sum of integers as a decimal.
        return [(key, int(count)) for key, count in self._db.session.execute(statement)]


def _listed(row: t.Any) -> Listed:
    return Listed(RepositoryInfo(*row[:4]), row[4] or "", as_utc(row[5]), row[6])
