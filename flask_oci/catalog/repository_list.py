"""Repository lists and their figures, for the pages."""

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

#: The possible orders of a repository list.
Order = t.Literal["name", "pushed"]


class Behind(t.NamedTuple):
    """The position in a repository list after which the next page begins."""

    name: str
    pushed_at: datetime


class Search(t.NamedTuple):
    """A search for repositories by their names."""

    text: str = ""
    """Text that the names contain, in lower case."""

    below: str = ""
    """A path; find only the repository of that name and those whose names begin with it
    and a slash."""

    def matches(self, name: str) -> bool:
        """Return True if the search finds a name. The database decides the same."""
        is_below = not self.below or f"{name}/".startswith(f"{self.below}/")
        return is_below and self.text in name


#: Finds all repositories.
EVERYTHING: t.Final = Search()


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository in a list."""

    info: RepositoryInfo
    description: str
    pushed_at: datetime
    pull_count: int
    """The number of pulls of its manifests. Recent pulls may not be counted yet."""

    @property
    def place(self) -> Behind:
        """Its position in the list, for the page that begins after it."""
        return Behind(self.info.name, self.pushed_at)


class Figures(t.NamedTuple):
    """The number of tags and the size of a repository."""

    tags: int = 0
    bytes: int = 0
    """The size of its blobs, each counted once. Other repositories may share them."""


class RepositoryIndex:
    """Lists the repositories that have received a blob or a manifest, including empty
    ones. The collection takes out those that were never used."""

    def __init__(self, database: Database, repositories: Repositories) -> None:
        self._db = database
        self._repositories = repositories

    def page(
        self,
        limit: int,
        condition: Condition | None,
        *,
        search: Search = EVERYTHING,
        order: Order = "name",
        behind: Behind | None = None,
    ) -> list[Listed]:
        """Return a page of repositories.

        :param limit: the maximum number of results.
        :param condition: the repositories to list; None lists all.
        :param search: the search that the names have to match.
        :param order: ``name``, or ``pushed`` for the latest push first.
        :param behind: the position after which the page begins.
        """
        Repository = self._db.models.Repository
        name, pushed = Repository.name, Repository.pushed_at
        statement = self._select(pushed).where(pushed.is_not(None))
        if condition is not None:
            statement = statement.where(condition)
        if search.text:
            statement = statement.where(name.contains(search.text, autoescape=True))
        if search.below:
            statement = statement.where(self._repositories.path_filter(search.below))
        if behind is not None:
            statement = statement.where(self._is_behind(behind, order))
        if order == "pushed":
            statement = statement.order_by(pushed.desc())
        rows = self._db.session.execute(statement.order_by(name).limit(limit))
        return [_listed(row) for row in rows]

    def about(self, repository_id: int) -> Listed | None:
        """Return the list entry of one repository, even without a push, or None."""
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
            Repository.upstream,
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
        """Return the figures of some repositories, by the repositories' keys."""
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
    return Listed(RepositoryInfo(*row[:5]), row[5] or "", as_utc(row[6]), row[7])
