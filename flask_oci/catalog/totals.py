"""Totals of the site: counters that each change of the stored content adds to.

A count of all blobs takes seconds in a large registry. The counters are spread over
several rows, because pushes that add to one row would wait for each other.
"""

from __future__ import annotations

import operator
import random
import threading
import typing as t

import sqlalchemy as sa

from ..clock import utcnow

if t.TYPE_CHECKING:
    from .database import Database

#: The number of rows that changes add to. Row 0 is none of them: it has the content
#: that was stored before the counters existed, and what a recount has corrected.
SHARDS: t.Final = 16

_BASE: t.Final = 0

_thread = threading.local()


class Totals(t.NamedTuple):
    """The numbers of repositories and blobs, and the blobs' size, each counted once."""

    repositories: int = 0
    blobs: int = 0
    bytes: int = 0

    def plus(self, other: Totals) -> Totals:
        """Return the sums of both."""
        return Totals(*map(operator.add, self, other))


def keep(database: Database, change: Totals) -> None:
    """Add the change of a transaction to the counters, before its commit.

    It is the last statement of the transaction, so that other transactions wait for the
    row only during the commit.
    """
    if not any(change):
        return
    table = database.models.Total.__table__
    shard = _shard()
    adding = sa.update(table).where(table.c.shard == shard)
    values = {name: table.c[name] + value for name, value in change._asdict().items()}
    if not database.change(adding.values(**values)):
        database.insert_if_absent(database.models.Total, **_empty(shard))
        database.change(adding.values(**values))


def adding(database: Database, change: Totals) -> sa.Update:
    """Return the statement that adds to the counters and returns the changed row, if it
    exists."""
    table = database.models.Total.__table__
    values = {name: table.c[name] + value for name, value in change._asdict().items()}
    statement = sa.update(table).where(table.c.shard == _shard()).values(**values)
    return statement.returning(table.c.shard)


def read(database: Database) -> Totals | None:
    """Return the totals, or None if the tables have never been counted."""
    table = database.models.Total.__table__
    row = database.execute(
        sa.select(*_sums(database), sa.func.max(table.c.counted_at))
    ).one()
    return None if row[3] is None else Totals(*(int(value) for value in row[:3]))


def count(database: Database) -> Totals:
    """Return the totals by counting the tables."""
    row = database.execute(sa.select(*_counts(database))).one()
    return Totals(*(int(value or 0) for value in row))


def drift(database: Database) -> Totals:
    """Return the difference between the tables and the counters.

    One statement reads both, so that changes that are committed meanwhile are in both
    or in neither.
    """
    columns = (*_counts(database), *_sums(database))
    row = [int(value or 0) for value in database.execute(sa.select(*columns)).one()]
    return Totals(*(row[n] - row[n + 3] for n in range(3)))


def recount(database: Database) -> Totals:
    """Correct the counters, while other transactions add to them.

    :return: the correction.
    """
    table = database.models.Total.__table__
    base = table.c.shard == _BASE

    def work() -> Totals:
        database.insert_if_absent(database.models.Total, **_empty(_BASE))
        # Two corrections at once would both add the same difference.
        database.execute(sa.select(table.c.shard).where(base).with_for_update())
        change = drift(database)
        values = {n: table.c[n] + value for n, value in change._asdict().items()}
        database.execute(
            sa.update(table).where(base).values(**values, counted_at=utcnow())
        )
        return change

    return database.write(work)


def _counts(database: Database) -> list[sa.ScalarSelect[t.Any]]:
    Repository, Blob = database.models.Repository, database.models.Blob
    return [
        sa.select(sa.func.count(Repository.id)).scalar_subquery(),
        sa.select(sa.func.count(Blob.id)).scalar_subquery(),
        sa.select(sa.func.sum(Blob.size)).scalar_subquery(),
    ]


def _sums(database: Database) -> list[sa.ScalarSelect[t.Any]]:
    table = database.models.Total.__table__
    return [
        sa.select(sa.func.sum(table.c[name])).scalar_subquery()
        for name in Totals._fields
    ]


def _empty(shard: int) -> dict[str, int]:
    return {"shard": shard, "repositories": 0, "blobs": 0, "bytes": 0}


def _shard() -> int:
    """Return the row of this thread. A transaction therefore locks one row only."""
    if not hasattr(_thread, "shard"):
        _thread.shard = random.randint(1, SHARDS)  # noqa: S311
    return t.cast(int, _thread.shard)
