"""Commits that do not wait for the disk, for rows that nobody misses after a power cut.

Whatever is committed later, and waits, has the disk take these as well: a database
writes down all of its commits in one order.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa


def commit(
    engine: sa.Engine, statement: sa.Executable, values: dict[str, t.Any]
) -> None:
    """Execute a statement in a transaction of its own.

    MySQL has no such commit for one transaction, so there it waits.
    """
    with engine.connect() as connection, _hurried(connection):
        driver = connection.connection
        try:
            connection.execute(statement, values)
            connection.commit()
        except BaseException:
            # What could not be committed is no transaction any more to SQLAlchemy,
            # and may still be one to the database, with its locks.
            driver.rollback()
            raise


@contextmanager
def _hurried(connection: sa.Connection) -> Iterator[None]:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
    driver = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or driver is None or driver.in_transaction:
        yield
        return
    # What the host has chosen holds again for whoever has the connection next.
    (chosen,) = driver.execute("PRAGMA synchronous").fetchone()
    driver.execute(f"PRAGMA synchronous = {min(chosen, 1)}")
    try:
        yield
    finally:
        try:
            driver.execute(f"PRAGMA synchronous = {chosen}")
        except BaseException:
            connection.invalidate()
            raise
