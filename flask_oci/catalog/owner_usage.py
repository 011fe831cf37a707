"""Usage by owner: the size of the blobs of each owner's repositories.

The collection counts the owners of the repositories that it visits. Until then, the
owners of changed repositories are counted when they are shown, unless they have too
many blobs.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..clock import utcnow

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from .database import Condition
    from .database import Database

#: The maximum number of owners that are counted when they are shown.
MAX_OWNERS: t.Final = 50

#: The maximum number of changed repositories and outdated sizes for which it is done.
MAX_REPOSITORIES: t.Final = 1000

#: The maximum number of links of these owners.
MAX_LINKS: t.Final = 20_000


class OwnerUsages(t.NamedTuple):
    """The owners whose repositories use the most space."""

    owners: list[tuple[t.Any, int]]
    """The keys of owners and the sizes in bytes, the largest first."""

    is_current: bool
    """False if some sizes are those of the last collection."""


def by_owner(database: Database, limit: int) -> OwnerUsages:
    """Return the owners whose repositories use the most space. Each blob counts once
    per owner.

    :param limit: the maximum number of results.
    """
    outdated = _outdated(database)
    sizes = dict.fromkeys(outdated or (), 0)
    found = _recorded(database, limit + len(sizes))
    found |= sizes | measured(database, sizes)
    largest = sorted(found.items(), key=lambda item: item[1], reverse=True)
    owners = [item for item in largest if item[1]][:limit]
    return OwnerUsages(owners, outdated is not None)


def measured(database: Database, owner_ids: Collection[t.Any]) -> dict[t.Any, int]:
    """Return the sizes of the blobs of owners who have some.

    :param owner_ids: the keys of the owners; None stands for no owner.
    """
    models = database.models
    Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
    held = (
        sa.select(Repository.owner_id, Link.blob_id)
        .join(Link, Link.repository_id == Repository.id)
        .where(_owned_by(database, owner_ids))
        .distinct()
        .subquery()
    )
    rows = database.session.execute(
        sa.select(held.c.owner_id, sa.func.sum(Blob.size))
        .join(Blob, Blob.id == held.c.blob_id)
        .group_by(held.c.owner_id)
    )
    return {key: int(size) for key, size in rows}


def record(database: Database, owner_id: t.Any) -> None:
    """Count the blobs of an owner, and record the size."""
    table = database.models.OwnerUsage.__table__
    size = measured(database, [owner_id]).get(owner_id, 0)
    mine = table.c.owner_id.is_not_distinct_from(owner_id)
    counting = sa.update(table).where(mine).values(bytes=size, counted_at=utcnow())
    database.write(lambda: database.execute(counting))


def expire(database: Database, owner_id: t.Any) -> bool:
    """Have an owner counted again, within the transaction that changes repositories of
    the owner.

    :return: False if the owner has never been counted.
    """
    table = database.models.OwnerUsage.__table__
    mine = table.c.owner_id.is_not_distinct_from(owner_id)
    return database.change(sa.update(table).where(mine).values(counted_at=None)) > 0


def begin(database: Database, owner_id: t.Any) -> None:
    """Do the same for an owner who may never have been counted. The transaction must
    have locked the owner first."""
    if expire(database, owner_id):
        return
    if owner_id is None or owner_id in database.lock_users([owner_id]):
        table = database.models.OwnerUsage.__table__
        database.execute(sa.insert(table), {"owner_id": owner_id, "bytes": 0})


def expired(database: Database) -> list[t.Any]:
    """Return the keys of the owners who have to be counted again."""
    table = database.models.OwnerUsage.__table__
    statement = sa.select(table.c.owner_id).where(table.c.counted_at.is_(None))
    return list(database.execute(statement).scalars())


def _outdated(database: Database) -> set[t.Any] | None:
    """Return the owners whose recorded sizes may be outdated, or None if there are
    many."""
    repository = database.models.Repository.__table__
    usage = database.models.OwnerUsage.__table__
    changed = sa.select(repository.c.owner_id).where(repository.c.collect_at.is_(None))
    fallen = sa.select(usage.c.owner_id).where(usage.c.counted_at.is_(None))
    some = (
        statement.limit(MAX_REPOSITORIES + 1).subquery()
        for statement in (changed, fallen)
    )
    both = sa.union_all(*(sa.select(each.c.owner_id) for each in some))
    rows = database.execute(both).scalars().all()
    if len(rows) > MAX_REPOSITORIES:
        return None
    found = set(rows)
    return found if len(found) <= MAX_OWNERS and _are_few(database, found) else None


def _are_few(database: Database, owner_ids: Collection[t.Any]) -> bool:
    """Return True if the owners have few links."""
    models = database.models
    Repository, Link = models.Repository, models.RepositoryBlob
    some = (
        sa.select(Link.blob_id)
        .join(Repository, Repository.id == Link.repository_id)
        .where(_owned_by(database, owner_ids))
        .limit(MAX_LINKS + 1)
        .subquery()
    )
    counted = sa.select(sa.func.count()).select_from(some)
    return (database.session.scalar(counted) or 0) <= MAX_LINKS


def _recorded(database: Database, limit: int) -> dict[t.Any, int]:
    table = database.models.OwnerUsage.__table__
    statement = (
        sa.select(table.c.owner_id, table.c.bytes)
        .order_by(table.c.bytes.desc())
        .limit(limit)
    )
    return {row.owner_id: row.bytes for row in database.execute(statement)}


def _owned_by(database: Database, owner_ids: Collection[t.Any]) -> Condition:
    owner = database.models.Repository.owner_id
    known = owner.in_([key for key in owner_ids if key is not None])
    return sa.or_(known, owner.is_(None)) if None in owner_ids else known
