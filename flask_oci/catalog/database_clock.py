"""The clock of the database, which all processes of a registry share."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow

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
    engine = database.session.get_bind(database.models.Repository)
    expression = _EXPRESSIONS.get(engine.dialect.name, "NULL")
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
