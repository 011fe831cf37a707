"""Usage by repository: the size of the blobs that each repository links.

The collection records the sizes of the repositories that it visits. Until then, changed
repositories are measured when they are shown, unless they are many.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .repository_info import RepositoryInfo
from .repository_statements import RepositoryStatements

if t.TYPE_CHECKING:
    from .database import Condition
    from .database import Database

#: The maximum number of changed repositories that are measured for the order of a list.
MAX_CHANGED: t.Final = 200


class RepositoryUsage(t.NamedTuple):
    """The size of the blobs that a repository links."""

    info: RepositoryInfo
    bytes: int
    alone: int
    """The bytes that no other of the counted repositories links."""


def by_repository(
    database: Database, limit: int, offset: int, owner_id: t.Any
) -> list[RepositoryUsage]:
    """Return the usage of repositories, the largest first, with one statement.

    :param limit: the maximum number of results.
    :param offset: the number of repositories to skip.
    :param owner_id: the key of the owner; None lists all repositories.
    """
    models = database.models
    repository, Blob = models.Repository.__table__, models.Blob
    Link = models.RepositoryBlob
    page = _page(database, limit, offset, owner_id)
    info = RepositoryStatements(models).select()
    statement = (
        info.add_columns(
            sa.func.coalesce(sa.func.sum(Blob.size), 0),
            sa.func.coalesce(sa.func.sum(_size_alone(database, owner_id)), 0),
        )
        .select_from(page)
        .join(repository, repository.c.id == page.c.id)
        .outerjoin(Link, Link.repository_id == page.c.id)
        .outerjoin(Blob, Blob.id == Link.blob_id)
        .group_by(*info.selected_columns, page.c.bytes)
        .order_by(page.c.bytes.desc(), repository.c.id)
    )
    return [
        RepositoryUsage(RepositoryInfo(*row[:5]), int(row[5]), int(row[6]))
        for row in database.execute(statement)
    ]


def _page(database: Database, limit: int, offset: int, owner_id: t.Any) -> sa.Subquery:
    """Select the keys of the repositories of a page, and the sizes that order them."""
    table = database.models.Repository.__table__
    listed = _listed(database, owner_id)
    is_changed = table.c.collect_at.is_(None)
    changed = sa.select(table.c.id).where(*listed, is_changed)
    some = changed.limit(MAX_CHANGED + 1).subquery()
    number = sa.select(sa.func.count()).select_from(some).scalar_subquery()
    few = changed.limit(MAX_CHANGED).subquery()
    measured = sa.select(few.c.id, size_of(database, few.c.id).label("bytes")).where(
        number <= MAX_CHANGED
    )
    recorded = (
        sa.select(table.c.id, table.c.stored_bytes.label("bytes"))
        .where(
            *listed,
            table.c.stored_bytes.is_not(None),
            sa.or_(~is_changed, number > MAX_CHANGED),
        )
        .order_by(table.c.stored_bytes.desc(), table.c.id)
        .limit(offset + limit)
        .subquery()
    )
    both = sa.union_all(measured, sa.select(recorded.c.id, recorded.c.bytes)).subquery()
    return (
        sa.select(both.c.id, both.c.bytes)
        .order_by(both.c.bytes.desc(), both.c.id)
        .limit(limit)
        .offset(offset)
        .subquery("page")
    )


def _listed(database: Database, owner_id: t.Any) -> list[Condition]:
    table = database.models.Repository.__table__
    # The first request of a push that a quota refuses creates a repository, too.
    conditions: list[Condition] = [table.c.pushed_at.is_not(None)]
    if owner_id is not None:
        conditions.append(table.c.owner_id == owner_id)
    return conditions


def size_of(
    database: Database, repository_id: sa.ColumnElement[int]
) -> sa.ScalarSelect[int]:
    """Return the size of the blobs that a repository links.

    :param repository_id: the column with the key of the repository.
    """
    blob = database.models.Blob.__table__.alias("measured_blob").c
    link = database.models.RepositoryBlob.__table__.alias("measured_link").c
    return (
        sa.select(sa.func.coalesce(sa.func.sum(blob.size), 0))
        .where(link.repository_id == repository_id, blob.id == link.blob_id)
        .scalar_subquery()
    )


def _size_alone(database: Database, owner_id: t.Any) -> sa.ColumnElement[int]:
    """Return the size of a blob, or 0 if another of the counted repositories links
    it."""
    models = database.models
    Link = models.RepositoryBlob
    other = Link.__table__.alias("other_link").c
    shared = sa.exists().where(
        other.blob_id == Link.blob_id, other.repository_id != Link.repository_id
    )
    if owner_id is not None:
        # The result must not reveal that another owner has the same blob.
        holder = models.Repository.__table__.alias("holder").c
        shared = shared.where(
            holder.id == other.repository_id, holder.owner_id == owner_id
        )
    return sa.case((shared.correlate(Link), 0), else_=models.Blob.size)
