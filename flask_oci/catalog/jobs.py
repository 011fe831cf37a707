"""Background jobs: claims with a lease, and records of their runs.

A process claims a job before it runs it, and renews its lease during a long run. When
the lease of a process that died expires, another process can claim the job. All leases
use the clock of the database, so the clocks of the machines may differ.
"""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta

import sqlalchemy as sa

from ..clock import as_utc
from .database_clock import clock
from .database_clock import database_time
from .database_clock import time_of

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .database import Database

WEBHOOKS: t.Final = "webhooks"
RETENTION: t.Final = "retention"
COLLECTION: t.Final = "collection"
PRUNING: t.Final = "pruning"
VERIFICATION: t.Final = "verification"

#: The maximum length of a stored failure or summary, in characters.
MAX_TEXT: t.Final = 1000


@dataclass(frozen=True, slots=True)
class JobState:
    """The last run and the claim of a job. All times are the database's."""

    name: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    completed_at: datetime | None = None
    summary: str | None = None
    failure: str | None = None
    leased_until: datetime | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the last run that ended was complete."""
        return self.ended_at is not None and self.ended_at == self.completed_at

    def is_claimed(self, now: datetime) -> bool:
        """Return True if a process has claimed the job."""
        return self.leased_until is not None and self.leased_until > now


class Overview(t.NamedTuple):
    """The states of all jobs at one time."""

    states: dict[str, JobState]
    """The states of the jobs that have run or were claimed, by name."""

    now: datetime
    """The database's time."""

    needed: frozenset[str]
    """The jobs that have something to do, because there are webhooks, retention rules
    or repositories."""


class Jobs:
    """Claims jobs, and records their runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def overview(self) -> Overview:
        """Return the states of all jobs, in one statement."""
        models = self._db.models
        retention = sa.select(models.Rule.id).where(models.Rule.kind == "retain")
        needed = {
            WEBHOOKS: sa.exists(sa.select(models.Webhook.id)),
            RETENTION: sa.exists(retention),
            # The collection also deletes expired records.
            COLLECTION: sa.exists(sa.select(models.Repository.id)),
        }
        # There is one row if the table is empty.
        one = sa.select(sa.literal(1).label("one")).subquery()
        rows = self._db.execute(
            sa.select(
                clock(self._db).label("clock"),
                *(has.label(f"needs_{name}") for name, has in needed.items()),
                *models.Job.__table__.c,
            ).select_from(one.outerjoin(models.Job.__table__, sa.true()))
        ).all()
        self._db.release()
        return Overview(
            {row.name: _state(row) for row in rows if row.name is not None},
            time_of(rows[0].clock),
            frozenset(n for n in needed if getattr(rows[0], f"needs_{n}")),
        )

    def claim(
        self,
        name: str,
        length: timedelta,
        is_due: Callable[[JobState, datetime], bool],
    ) -> str | None:
        """Claim a job that is due and that no other process has claimed.

        :param length: how long the claim lasts without a renewal.
        :param is_due: decides within the transaction that claims; its arguments are the
            state of the job and the database's time.
        :return: the lease, which the other methods take; None without a claim.
        """
        Job = self._db.models.Job
        columns = Job.__table__.c
        lease = str(uuid.uuid4())

        def work() -> str | None:
            self._db.insert_if_absent(Job, name=name)
            locked = self._select().where(columns.name == name).with_for_update()
            state = _state(self._db.execute(locked).one())
            now = database_time(self._db)
            if state.is_claimed(now) or not is_due(state, now):
                return None
            self._change(
                columns.name == name,
                lease=lease,
                leased_until=now + length,
                started_at=now,
            )
            return lease

        return self._db.write(work)

    def renew(self, name: str, lease: str, length: timedelta) -> bool:
        """Renew a claim.

        :return: False if another process has claimed the job meanwhile.
        """
        columns = self._db.models.Job.__table__.c

        def work() -> bool:
            until = database_time(self._db) + length
            mine = sa.and_(columns.name == name, columns.lease == lease)
            return self._change(mine, leased_until=until) > 0

        return self._db.write(work)

    def release(self, name: str, lease: str) -> None:
        """End a claim. A job whose run has not been recorded is due again."""
        columns = self._db.models.Job.__table__.c
        mine = sa.and_(columns.name == name, columns.lease == lease)
        self._db.write(lambda: self._change(mine, lease=None, leased_until=None))

    def record(
        self,
        name: str,
        *,
        summary: str | None = None,
        failure: str | None = None,
        complete: bool = True,
        at_most_every: timedelta | None = None,
    ) -> None:
        """Record the end of a run, with or without a claim.

        :param summary: the result of a complete run.
        :param failure: the reason why the run, or an item of it, failed.
        :param complete: whether the run came to its end.
        :param at_most_every: do nothing if a complete run was recorded within this
            time.
        """

        def work() -> None:
            now = database_time(self._db)
            values: dict[str, t.Any] = {"ended_at": now, "failure": _short(failure)}
            if complete:
                values |= {"completed_at": now, "summary": _short(summary)}
            self._db.upsert(self._db.models.Job, {"name": name}, **values)

        if at_most_every is not None and self._was_recorded(name, at_most_every):
            return
        self._db.write(work)

    def has_own_connections(self) -> bool:
        """Return True if a thread gets a connection of its own. A database in memory
        has one connection for all threads."""
        engine = self._db.session.get_bind(self._db.models.Repository)
        return isinstance(engine, sa.Engine) and not isinstance(
            engine.pool, sa.StaticPool | sa.pool.SingletonThreadPool
        )

    def _was_recorded(self, name: str, within: timedelta) -> bool:
        found = self.overview()
        state = found.states.get(name)
        return (
            state is not None
            and state.is_complete
            and state.completed_at is not None
            and found.now - state.completed_at < within
        )

    def _change(self, condition: sa.ColumnElement[bool], **values: t.Any) -> int:
        table = self._db.models.Job.__table__
        return self._db.change(sa.update(table).where(condition).values(**values))

    def _select(self) -> sa.Select[t.Any]:
        return sa.select(self._db.models.Job.__table__)


def _state(row: t.Any) -> JobState:
    return JobState(
        name=row.name,
        started_at=_time(row.started_at),
        ended_at=_time(row.ended_at),
        completed_at=_time(row.completed_at),
        summary=row.summary,
        failure=row.failure,
        leased_until=_time(row.leased_until),
    )


def _time(moment: datetime | None) -> datetime | None:
    return None if moment is None else as_utc(moment)


def _short(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT]
