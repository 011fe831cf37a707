"""Nodes: the processes that serve the registry, and how they are set up."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import sqlalchemy as sa

from ..clock import utcnow
from .database_clock import database_time

if t.TYPE_CHECKING:
    from .database import Database

#: How long the report of a process is kept.
LIFETIME: t.Final = timedelta(minutes=15)


class NodeReport(t.NamedTuple):
    """The report of a process about itself."""

    id: str
    host: str
    """The name of its machine."""

    version: str
    keys: list[str]
    """Fingerprints of its signing keys, the current one first."""

    settings: dict[str, str]
    """Fingerprints of its settings, by the name of the key."""

    clock: float = 0.0
    """By how many seconds its clock is ahead of the database's."""


class Nodes:
    """Stores and lists the reports of processes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def report(self, node: NodeReport) -> None:
        """Store the report of this process, and delete old reports."""
        Row = self._db.models.Node

        def work() -> None:
            # The statement may wait, which would look like a difference of the clocks.
            before = utcnow()
            now = database_time(self._db)
            middle = before + (utcnow() - before) / 2
            values = node._replace(clock=(middle - now).total_seconds())._asdict()
            key = {"id": values.pop("id")}
            self._db.upsert(Row, key, **values, seen_at=now)
            table = Row.__table__
            self._db.execute(sa.delete(table).where(table.c.seen_at < now - LIFETIME))

        self._db.record(work)

    def recent(self) -> list[NodeReport]:
        """Return the reports of the last minutes, ordered by machine."""
        columns = self._db.models.Node.__table__.c
        since = database_time(self._db) - LIFETIME
        rows = self._db.execute(
            sa.select(*(columns[name] for name in NodeReport._fields))
            .where(columns.seen_at >= since)
            .order_by(columns.host, columns.id)
        )
        return [NodeReport(*row) for row in rows]
