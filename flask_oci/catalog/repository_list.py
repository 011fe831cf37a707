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
from .manifest_traits import has_content
from .repositories import Repositories
from .repository_info import RepositoryInfo
from .repository_search import EVERYTHING
from .repository_search import Order
from .repository_search import Place
from .repository_search import Search
from .repository_statements import RepositoryStatements


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository in a list."""

    info: RepositoryInfo
    description: str
    pushed_at: datetime
    pull_count: int
    """The number of pulls of its manifests. Recent pulls may not be counted yet."""

    stored_bytes: int
    """The size that the list is ordered by. A recent push may not be counted yet."""

    has_content: bool
    """Whether it has the content that the search wants, if the caller decides."""

    @property
    def place(self) -> Place:
        """Its position in the list, for the page that begins after it."""
        return Place(self.info.name, self.pushed_at, self.pull_count, self.stored_bytes)


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
        undecided: Search = EVERYTHING,
        order: Order = "name",
        behind: Place | None = None,
        backwards: bool = False,
    ) -> list[Listed]:
        """Return a page of repositories.

        :param limit: the maximum number of results.
        :param condition: the repositories to list; None lists all.
        :param search: the search that the repositories have to match.
        :param undecided: a search that does not change the result. For each repository,
            :attr:`Listed.has_content` says whether its content matches.
        :param order: the order of the list.
        :param behind: the position after which the page begins.
        :param backwards: whether to return the repositories before the position, the
            nearest first.
        """
        Repository = self._db.models.Repository
        statement = self._select(Repository.pushed_at, undecided)
        for part in self._conditions(condition, search):
            statement = statement.where(part)
        if behind is not None:
            statement = statement.where(self._is_behind(behind, order, backwards))
        statement = statement.order_by(*self._ordering(order, backwards))
        rows = self._db.session.execute(statement.limit(limit))
        return [_listed(row) for row in rows]

    def count(self, most: int, condition: Condition, search: Search) -> int:
        """Return the number of repositories that a list has.

        :param most: the number at which the database stops counting.
        :param condition: the repositories to list.
        :param search: the search that the repositories have to match.
        """
        statement = sa.select(sa.literal(1).label("one")).select_from(
            self._db.models.Repository
        )
        for part in self._conditions(condition, search):
            statement = statement.where(part)
        counted = sa.select(sa.func.count()).select_from(
            statement.limit(most).subquery()
        )
        return self._db.session.scalar(counted) or 0

    def with_manifests(
        self, limit: int, last: str | None, condition: Condition | None
    ) -> list[RepositoryInfo]:
        """Return the repositories that have a manifest, ordered by name.

        :param limit: the maximum number of results.
        :param last: the name after which the page begins.
        :param condition: the repositories to list; None lists all.
        """
        Repository, Manifest = self._db.models.Repository, self._db.models.Manifest
        statement = (
            RepositoryStatements(self._db.models)
            .select()
            .where(sa.exists().where(Manifest.repository_id == Repository.id))
            .order_by(Repository.name)
            .limit(limit)
        )
        if last is not None:
            statement = statement.where(Repository.name > last)
        if condition is not None:
            statement = statement.where(condition)
        return [RepositoryInfo(*row) for row in self._db.session.execute(statement)]

    def about(self, repository_id: int) -> Listed | None:
        """Return the list entry of one repository, even without a push, or None."""
        Repository = self._db.models.Repository
        pushed = sa.func.coalesce(Repository.pushed_at, Repository.created_at)
        row = self._db.session.execute(
            self._select(pushed, EVERYTHING).where(Repository.id == repository_id)
        ).first()
        return _listed(row) if row else None

    def _select(self, pushed_at: t.Any, undecided: Search) -> sa.Select[t.Any]:
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
            sa.func.coalesce(Repository.stored_bytes, 0),
            self._has_content(undecided),
        )

    def _has_content(self, search: Search) -> t.Any:
        """Return the condition for the content that a search wants, or the number 1 if
        it wants none."""
        if not search.kind and not search.platform:
            return sa.literal_column("1")
        key = self._db.models.Repository.id
        return has_content(self._db, key, kind=search.kind, platform=search.platform)

    def _conditions(
        self, condition: Condition | None, search: Search
    ) -> t.Iterator[Condition]:
        Repository = self._db.models.Repository
        yield Repository.pushed_at.is_not(None)
        if condition is not None:
            yield condition
        if search.text:
            yield Repository.name.contains(search.text, autoescape=True)
        if search.below:
            yield self._repositories.path_filter(search.below)
        if search.visibility:
            yield Repository.visibility == search.visibility
        if search.kind or search.platform:
            yield self._has_content(search)

    def _key(self, order: Order) -> t.Any:
        """Return the column of an order that begins with the largest value, or None."""
        Repository = self._db.models.Repository
        return {
            "name": None,
            "pushed": Repository.pushed_at,
            "pulls": Repository.pull_count,
            "size": sa.func.coalesce(Repository.stored_bytes, 0),
        }[order]

    def _ordering(self, order: Order, backwards: bool) -> list[t.Any]:
        key, name = self._key(order), self._db.models.Repository.name
        columns = [name.desc() if backwards else name.asc()]
        if key is not None:
            columns.insert(0, key.asc() if backwards else key.desc())
        return columns

    def _is_behind(self, place: Place, order: Order, backwards: bool) -> t.Any:
        key, name = self._key(order), self._db.models.Repository.name
        later = name < place.name if backwards else name > place.name
        if key is None:
            return later
        value = {
            "pushed": place.pushed_at,
            "pulls": place.pulls,
            "size": place.bytes,
        }[order]
        beyond = key > value if backwards else key < value
        return sa.or_(beyond, sa.and_(key == value, later))

    def figures(self, repository_ids: Sequence[int]) -> dict[int, Figures]:
        """Return the figures of some repositories, by the repositories' keys."""
        models = self._db.models
        Tag, Blob, Link = models.Tag, models.Blob, models.RepositoryBlob
        tags: t.Any = (
            sa.select(Tag.repository_id, sa.literal_column("0"), sa.func.count())
            .where(Tag.repository_id.in_(repository_ids))
            .group_by(Tag.repository_id)
        )
        sizes: t.Any = (
            sa.select(
                Link.repository_id, sa.literal_column("1"), sa.func.sum(Blob.size)
            )
            .join(Blob, Blob.id == Link.blob_id)
            .where(Link.repository_id.in_(repository_ids))
            .group_by(Link.repository_id)
        )
        found = {key: [0, 0] for key in repository_ids}
        for key, field, value in self._db.session.execute(sa.union_all(tags, sizes)):
            # PostgreSQL and MariaDB return the sum of integers as a decimal.
            found[key][field] = int(value)
        return {key: Figures(*values) for key, values in found.items()}


def _listed(row: t.Any) -> Listed:
    info, description, pushed_at = RepositoryInfo(*row[:5]), row[5], as_utc(row[6])
    return Listed(info, description or "", pushed_at, row[7], int(row[8]), bool(row[9]))
