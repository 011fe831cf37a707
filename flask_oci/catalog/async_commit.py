"""Asynchronous commits, which do not wait for the disk.

They suit rows that may be lost in a power cut. A later commit that waits for the disk
makes these durable as well, because a database writes all commits in one order.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from .retries import end_transaction

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa


def commit(
    engine: sa.Engine, statement: sa.Executable, values: dict[str, t.Any]
) -> int:
    """Execute a statement in a transaction of its own.

    On MySQL this waits for the disk, because MySQL has no asynchronous commit for a
    single transaction.

    :return: the number of rows inserted or changed.
    """
    with engine.connect() as connection, _hurried(connection):
        try:
            changed = connection.execute(
                # Some drivers forget the count when the cursor is closed.
                statement,
                values,
                execution_options={"preserve_rowcount": True},
            ).rowcount
            connection.commit()
        except BaseException:
            end_transaction(connection)
            raise
        return changed


@contextmanager
def _hurried(connection: sa.Connection) -> Iterator[None]:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
    driver = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or driver is None or driver.in_transaction:
        yield
        return
    # The next user of the connection must get the setting that the host has chosen.
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
