"""The pulls and the size of a repository by day (UTC)."""

from __future__ import annotations

import typing as t
from datetime import date
from datetime import timedelta

import sqlalchemy as sa

from ..clock import utcnow
from .database import Database
from .repository_statements import lock_repositories

#: The number of days that are kept. Their rows are deleted at the next pull or push,
#: or by the collection.
KEPT_DAYS: t.Final = 366

#: How many rows are deleted in one transaction.
BATCH_SIZE: t.Final = 500


class Day(t.NamedTuple):
    """The activity of a repository on one day."""

    day: date
    pulls: int
    bytes: int | None
    """The size of the repository at the end of the day; None before the first
    measurement."""


class RepositoryDays:
    """Reads and prunes the activity of repositories."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def latest(self, repository_id: int, count: int) -> list[Day]:
        """Return the last days of a repository, the earliest first, without gaps.

        A day without a measurement has the size of the day before.

        :param count: the number of days; the last one is today.
        """
        today = utcnow().date()
        first = today - timedelta(days=count - 1)
        table = self._db.models.RepositoryDay.__table__
        own = table.c.repository_id == repository_id
        measured_before = (
            sa.select(sa.func.max(table.c.day))
            .where(own, table.c.day < first, table.c.bytes.is_not(None))
            .scalar_subquery()
        )
        rows = self._db.session.execute(
            sa.select(table.c.day, table.c.pulls, table.c.bytes)
            .where(own, sa.or_(table.c.day >= first, table.c.day == measured_before))
            .order_by(table.c.day)
        )
        found = {row.day: row for row in rows}
        size = next((row.bytes for day, row in found.items() if day < first), None)
        days = []
        for number in range(count):
            day = first + timedelta(days=number)
            row = found.get(day)
            if row is not None and row.bytes is not None:
                size = row.bytes
            days.append(Day(day, row.pulls if row else 0, size))
        return days

    def prune(self) -> None:
        """Delete the days that are older than :data:`KEPT_DAYS`, a batch at a time."""
        table = self._db.models.RepositoryDay.__table__
        old = (
            sa.select(table.c.repository_id)
            .where(table.c.day < oldest_kept())
            .distinct()
            .order_by(table.c.repository_id)
            .limit(BATCH_SIZE)
        )
        while keys := list(self._db.execute(old).scalars()):

            def work(keys: list[int] = keys) -> None:
                lock_repositories(self._db, self._db.models.Repository.id.in_(keys))
                self._db.execute(
                    sa.delete(table).where(
                        table.c.repository_id.in_(keys), table.c.day < oldest_kept()
                    )
                )

            self._db.write(work)
        self._db.release()


def oldest_kept() -> date:
    """Return the first day whose activity is kept."""
    return utcnow().date() - timedelta(days=KEPT_DAYS - 1)
