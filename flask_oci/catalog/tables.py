"""The registry's tables: their state in the database, and their creation."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import NoSuchTableError

from .dialects import MYSQL
from .retries import end_transaction
from .retries import FAILURES

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine.interfaces import ReflectedColumn

    from .database import Database

#: The name of the lock that a process holds while it creates tables.
LOCK: t.Final = "flask_oci.tables"

#: The same for PostgreSQL, whose advisory locks have numbers.
LOCK_NUMBER: t.Final = 0x666C61736B6F6369

#: How long a process waits for another one that creates the tables, in seconds.
LOCK_TIMEOUT: t.Final = 60

MetaData: t.TypeAlias = sa.MetaData
TableStatus = t.Literal["present", "missing", "outdated"]


@dataclass(frozen=True)
class TableState:
    """A table of the registry, and whether the database has it."""

    name: str
    status: TableStatus
    missing_columns: list[str]
    """The columns that an outdated table lacks."""

    unknown_columns: list[str]
    """The columns of an outdated table that need a value and that this version does not
    know, so that it cannot insert a row."""


class TablesRefused(RuntimeError):
    """The tables cannot be created; the message has the reason and the remedy."""


class Tables:
    """Inspects and creates the registry's tables, and no others."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def states(self) -> list[TableState]:
        """Return the state of each table, each after those that it refers to."""
        # A second connection may not be available.
        mapper = {"mapper": self._db.models.Repository}
        inspector = sa.inspect(self._db.session.connection(mapper))
        states = [_state(inspector, table) for table in self._db.models.tables()]
        self._db.release()
        return states

    def create(self) -> list[str]:
        """Create the missing tables, and commit.

        Processes that do this at the same time wait for each other.

        :return: the names of the created tables.
        :raises TablesRefused: if a table exists with other columns, if the host's user
            table does not exist, or if the database refuses.
        """
        # An open transaction of this process could make the creation wait forever.
        self._db.release()
        bind = self._bind
        try:
            if isinstance(bind, sa.Connection):
                # The host's sessions share one connection, as is usual in tests.
                return self._create_missing(bind)
            with bind.connect() as connection, _locked(connection):
                return self._create_and_commit(connection)
        except FAILURES:
            raise
        except DBAPIError as error:
            raise TablesRefused(
                f"The database refused to create the tables: {error.orig}"
            ) from error

    def _create_and_commit(self, connection: sa.Connection) -> list[str]:
        try:
            created = self._create_missing(connection)
            connection.commit()
        except BaseException:
            end_transaction(connection)
            raise
        return created

    def _create_missing(self, connection: sa.Connection) -> list[str]:
        inspector = sa.inspect(connection)
        states = [_state(inspector, table) for table in self._db.models.tables()]
        _check_columns(states)
        missing = {state.name for state in states if state.status == "missing"}
        if missing:
            self._check_user_table(inspector)
        for table in self._db.models.tables():
            # MetaData.create_all would also call the listeners of the host's metadata.
            if table.fullname in missing:
                table.create(connection, checkfirst=False)
        return [state.name for state in states if state.name in missing]

    def _check_user_table(self, inspector: sa.Inspector) -> None:
        (key,) = sa.inspect(self._db.models.User).primary_key
        users = key.table
        if not inspector.has_table(users.name, schema=users.schema):
            raise TablesRefused(
                f"The database has no table {users.fullname!r}, which the registry's"
                " tables refer to. Create the tables of your application first."
            )

    @property
    def _bind(self) -> sa.Engine | sa.Connection:
        return self._db.session.get_bind(self._db.models.Repository)


def _state(inspector: sa.Inspector, table: sa.Table) -> TableState:
    try:
        columns = inspector.get_columns(table.name, schema=table.schema)
    except NoSuchTableError:
        return TableState(table.fullname, "missing", [], [])
    found = {column["name"]: column for column in columns}
    missing = [column.name for column in table.c if column.name not in found]
    unknown = [n for n, c in found.items() if n not in table.c and _needs_value(c)]
    status: TableStatus = "outdated" if missing or unknown else "present"
    return TableState(table.fullname, status, missing, unknown)


def _needs_value(column: ReflectedColumn) -> bool:
    """Return True if an insert without this column fails."""
    generated = ("default", "computed", "identity")
    return not column["nullable"] and all(column.get(key) is None for key in generated)


def _check_columns(states: list[TableState]) -> None:
    lacking = [f"{s.name}.{column}" for s in states for column in s.missing_columns]
    if lacking:
        raise TablesRefused(
            f"Some tables exist without columns that this version of flask-oci needs:"
            f" {', '.join(lacking)}. No table was created. Add the columns as described"
            " on the page 'Upgrading' of the documentation."
        )
    unknown = [f"{s.name}.{column}" for s in states for column in s.unknown_columns]
    if unknown:
        raise TablesRefused(
            "Some tables are of another application or of another version of flask-oci,"
            f" because they have columns that need a value: {', '.join(unknown)}. No"
            " table was created. Rename these tables, or drop the columns."
        )


@contextmanager
def _locked(connection: sa.Connection) -> Iterator[None]:
    """Let one process at a time create tables.

    PostgreSQL and SQLite release the lock at the end of the transaction. MariaDB
    commits before and after each CREATE TABLE, so it has a lock of the connection.
    """
    dialect = connection.dialect.name
    if dialect == "sqlite":
        driver = connection.connection.dbapi_connection
        if driver is not None and not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
    elif dialect == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_NUMBER)))
        yield
    elif dialect in MYSQL:
        with _mysql_lock(connection):
            yield
    else:
        yield


@contextmanager
def _mysql_lock(connection: sa.Connection) -> Iterator[None]:
    if not connection.scalar(sa.select(sa.func.get_lock(LOCK, LOCK_TIMEOUT))):
        raise TablesRefused(
            "Another process is creating the tables and does not finish. Try again."
        )
    try:
        yield
        connection.scalar(sa.select(sa.func.release_lock(LOCK)))
    except BaseException:
        # No statement can be executed after a failed commit. The server releases the
        # lock of a closed connection.
        connection.invalidate()
        raise
