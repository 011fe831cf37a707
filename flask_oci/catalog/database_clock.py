"""The clock of the database, which all processes of a registry share."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timedelta

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .dialects import MYSQL
from .models.columns import TIME

if t.TYPE_CHECKING:
    from .database import Database

#: The expressions for the current time in UTC. ``now()`` of PostgreSQL would be the
#: start of the transaction, which may have waited for a lock.
_EXPRESSIONS: t.Final = {
    "postgresql": "clock_timestamp()",
    "mysql": "UTC_TIMESTAMP(6)",
    "mariadb": "UTC_TIMESTAMP(6)",
}


def clock(database: Database) -> sa.ColumnElement[datetime | None]:
    """Return the SQL expression for the current time, which is NULL on SQLite.

    :param database: the database, whose dialect decides.
    """
    expression = _EXPRESSIONS.get(database.dialect, "NULL")
    return sa.literal_column(expression, sa.DateTime(timezone=True))


def time_of(moment: datetime | None) -> datetime:
    """Return the time of the database that a statement has read.

    SQLite runs in this process and uses its clock.

    :param moment: the value of :func:`clock`.
    """
    return utcnow() if moment is None else as_utc(moment)


def database_time(database: Database) -> datetime:
    """Return the current time of the database.

    :param database: the database; the statement runs in the session's transaction.
    """
    return time_of(database.execute(sa.select(clock(database))).scalar_one())


def time_in(database: Database, seconds: float = 0) -> sa.ColumnElement[datetime]:
    """Return the SQL expression for the time of the database in some seconds, so that
    no statement has to ask for it. SQLite uses the clock of this process.

    :param database: the database, whose dialect decides.
    :param seconds: the number of seconds from now.
    """
    length, now = timedelta(seconds=seconds), clock(database)
    if database.dialect == "postgresql":
        return t.cast("sa.ColumnElement[datetime]", now + sa.literal(length))
    if database.dialect in MYSQL:
        unit: sa.ColumnElement[str] = sa.literal_column("MICROSECOND")
        ticks = length // timedelta(microseconds=1)
        return sa.func.timestampadd(unit, ticks, now, type_=TIME)
    return sa.literal(utcnow() + length, TIME)
