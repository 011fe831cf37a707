"""The lock of the collection: one process at a time."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from .dialects import MYSQL

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .database import Database

#: The first part of the number of the lock on PostgreSQL. The second part distinguishes
#: the schemas of a database.
LOCK_NUMBER: t.Final = 0x6F6369

#: The beginning of the name of the lock on MariaDB, whose locks are those of the whole
#: server.
LOCK_NAME: t.Final = "flask_oci."


class CollectionLock:
    """A lock of the database that one collection holds at a time.

    It saves work. Collections that run at the same time do not harm each other.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Hold the lock, on a connection of its own; yield False if another process
        holds it.

        SQLite has no such lock, nor has a session that shares one connection with all
        others, as is usual in tests. The result then is True.
        """
        engine = self._db.session.get_bind(self._db.models.Repository)
        locking = _LOCKING.get(engine.dialect.name)
        if not isinstance(engine, sa.Engine) or locking is None:
            yield True
            return
        # An open transaction would keep the database from removing old rows.
        with engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            acquire, release = locking
            if not connection.scalar(acquire):
                yield False
                return
            try:
                yield True
            except BaseException:
                # The error of the collection says more than one of the release.
                with suppress(DBAPIError):
                    _release(connection, release)
                raise
            _release(connection, release)


def _release(connection: sa.Connection, statement: sa.Select[t.Any]) -> None:
    """Release the lock.

    :raises DBAPIError: if that fails. The server releases the locks of the connection,
        which is closed then.
    """
    try:
        connection.scalar(statement)
    except DBAPIError:
        with suppress(DBAPIError):
            connection.invalidate()
        raise


def _mysql_name() -> sa.ColumnElement[str]:
    return sa.func.concat(LOCK_NAME, sa.func.md5(sa.func.database()))


def _postgresql_key() -> tuple[t.Any, ...]:
    schema = sa.func.coalesce(sa.func.current_schema(), "")
    return sa.literal_column(str(LOCK_NUMBER)), sa.func.hashtext(schema)


#: The statements that acquire and release the lock, by SQL dialect.
_LOCKING: t.Final = {
    "postgresql": (
        sa.select(sa.func.pg_try_advisory_lock(*_postgresql_key())),
        sa.select(sa.func.pg_advisory_unlock(*_postgresql_key())),
    ),
    **dict.fromkeys(
        MYSQL,
        (
            sa.select(sa.func.get_lock(_mysql_name(), 0)),
            sa.select(sa.func.release_lock(_mysql_name())),
        ),
    ),
}
