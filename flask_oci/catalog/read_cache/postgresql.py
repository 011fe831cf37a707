"""The version of a PostgreSQL database: the transactions that are visible.

``pg_current_snapshot()`` returns the same text exactly if the same transactions are
visible (PostgreSQL's documentation, "Transaction ID and Snapshot Information
Functions").
"""

from __future__ import annotations

import typing as t
from contextlib import AbstractContextManager
from contextlib import nullcontext

import sqlalchemy as sa

from .reader import Bypassed
from .reader import Unavailable
from .store import Version
from .traces import execute
from .traces import is_unrecorded
from .traces import Rows
from .traces import Statement
from .traces import UNRECORDED

if t.TYPE_CHECKING:
    from collections.abc import Callable


#: The visible transactions; whether this one has written; whether the server is a
#: standby, whose snapshots do not list transactions; and the other conditions that the
#: rows depend on.
_VERSION: t.Final = (
    "SELECT pg_current_snapshot()::text,"
    " pg_current_xact_id_if_assigned() IS NOT NULL, pg_is_in_recovery(),"
    " pg_postmaster_start_time()::text, current_setting('search_path'), current_user"
)

#: The key in ``info`` of a connection of the number of statements that may have
#: written.
_WRITES: t.Final = "oci_writes"


class PostgreSQLReader:
    """Reads the versions of a PostgreSQL database.

    :param engine: the engine of the database.
    :param connection: a connection of it.
    :raises Unavailable: if the server has no snapshots to compare.
    """

    asks_server = True

    def __init__(self, engine: sa.Engine, connection: sa.Connection) -> None:
        if (engine.dialect.server_version_info or (0,)) < (13,):
            raise Unavailable("PostgreSQL 13 or newer is needed")
        try:
            # Without a savepoint, an error would end the host's transaction.
            with connection.begin_nested():
                connection.exec_driver_sql(_VERSION, execution_options=UNRECORDED)
        except sa.exc.DBAPIError as error:
            raise Unavailable(str(error.orig)) from error
        sa.event.listen(engine, "before_cursor_execute", _count_writes)

    def writes(self, transaction: sa.Connection | None) -> int:
        """Return how many statements of the connection may have written."""
        return 0 if transaction is None else int(transaction.info.get(_WRITES, 0))

    def version(self, connect: Callable[[], sa.Connection], writes: int) -> Version:
        """Return the version that the session's transaction sees."""
        return _version(connect())

    def connection(
        self, engine: sa.Engine, connect: Callable[[], sa.Connection]
    ) -> AbstractContextManager[sa.Connection]:
        """Return the connection of the session."""
        return nullcontext(connect())

    def rows(
        self,
        engine: sa.Engine,
        connect: Callable[[], sa.Connection],
        statement: Statement,
    ) -> Rows | None:
        """Return the rows of a recorded statement."""
        return execute(connect(), statement)


def _version(connection: sa.Connection) -> Version:
    found = connection.exec_driver_sql(_VERSION, execution_options=UNRECORDED).one()
    snapshot, has_written, is_standby, *conditions = found
    if is_standby:
        raise Unavailable("the server is a standby")
    if has_written or "schema_translate_map" in connection.get_execution_options():
        raise Bypassed
    return (snapshot, *conditions)


def _count_writes(
    connection: sa.Connection,
    cursor: t.Any,
    statement: str,
    parameters: t.Any,
    context: t.Any,
    executemany: bool,
) -> None:
    """Count a statement, unless it is known to read only."""
    compiled = context.compiled
    is_select = compiled is not None and isinstance(compiled.statement, sa.Select)
    if not is_select and not is_unrecorded(context):
        connection.info[_WRITES] = connection.info.get(_WRITES, 0) + 1
