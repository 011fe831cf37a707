"""The version of a SQLite database.

``PRAGMA data_version`` changes with every commit of another connection, of any process
(https://sqlite.org/pragma.html#pragma_data_version). A connection of the cache's own,
which never writes, therefore notices every commit.
"""

from __future__ import annotations

import itertools
import os
import typing as t
from contextlib import contextmanager
from threading import Lock

import sqlalchemy as sa

from .reader import Bypassed
from .reader import Unavailable
from .store import Version
from .traces import comparable
from .traces import execute
from .traces import has_listeners
from .traces import Rows
from .traces import Statement

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator


#: The connections of a parent process. A child must neither use nor close them, so they
#: stay referenced (https://sqlite.org/howtocorrupt.html, section 2.6).
_INHERITED: list[_Opened] = []


#: Numbers the connections.
_numbers = itertools.count()


class SQLiteReader:
    """Reads the versions of a SQLite database, on a connection of the cache's own.

    :param engine: the engine of the database.
    """

    asks_server = False

    def __init__(self, engine: sa.Engine) -> None:
        if isinstance(engine.pool, sa.NullPool):
            raise Unavailable("the pool keeps no connection")
        self._pool, self._errors = engine.pool, engine.dialect.loaded_dbapi.Error
        self._name = engine.url.database
        self._opened: _Opened | None = None
        self._refusal = ""
        self._lock = Lock()
        sa.event.listen(engine, "engine_disposed", lambda _: self._close())

    def writes(self, transaction: sa.Connection | None) -> int:
        """Return 1 if a transaction may have changes that are not committed, else 0."""
        if transaction is None:
            return 0
        driver = transaction.connection.dbapi_connection
        return int(driver is None or driver.in_transaction)

    def version(self, connect: Callable[[], sa.Connection], writes: int) -> Version:
        """Return the current version."""
        if writes:
            raise Bypassed
        if self._refusal:
            raise Unavailable(self._refusal)
        with self._failures_reported():
            opened, status = self._current()
            return opened.version(status)

    @contextmanager
    def connection(
        self, engine: sa.Engine, connect: Callable[[], sa.Connection]
    ) -> Iterator[sa.Connection]:
        """Yield the connection of the cache."""
        with self._failures_reported():
            opened, _ = self._current()
        with opened.connection(engine) as connection:
            yield connection

    def rows(
        self,
        engine: sa.Engine,
        connect: Callable[[], sa.Connection],
        statement: Statement,
    ) -> Rows | None:
        """Return the rows of a recorded statement."""
        if has_listeners(engine):
            with self.connection(engine, connect) as connection:
                return execute(connection, statement)
        # SQLAlchemy takes eight times as long as SQLite.
        with self._failures_reported():
            opened, _ = self._current()
            return comparable(opened.execute(statement))

    def _current(self) -> tuple[_Opened, os.stat_result]:
        """Return the connection, and the status of its file."""
        opened = self._opened
        if opened is not None and opened.pid != os.getpid():
            # Another thread of the parent may have held the lock when it forked.
            self._lock, opened = Lock(), None
        if opened is not None:
            status = os.stat(opened.path)
            if _identity(status) == opened.identity:
                return opened, status
        with self._lock:
            current = self._opened
            if current is None or current is opened or current.pid != os.getpid():
                self._close()
                self._opened = current = self._open()
            return current, os.stat(current.path)

    def _open(self) -> _Opened:
        try:
            return _Opened(self._pool, self._name)
        except Unavailable as error:
            # The next connection would be the same.
            self._refusal = str(error)
            raise

    def _close(self) -> None:
        opened, self._opened, self._refusal = self._opened, None, ""
        if opened is None:
            return
        if opened.pid == os.getpid():
            opened.close()
        else:
            _INHERITED.append(opened)

    @contextmanager
    def _failures_reported(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.SQLAlchemyError, self._errors, OSError) as error:
            raise Unavailable(str(error)) from error


class _Opened:
    """An open connection to a database file, for reading by one thread at a time.

    The host's pool opens it, so that it has the host's settings. It is not in a pool:
    SQLAlchemy would keep a lent connection alive after its engine, and lending it for
    each use takes longer than asking for the version.

    :param name: the file in the address of the database, which may be a link.
    :raises Unavailable: if the database has no file, or a reader would block it.
    """

    def __init__(self, pool: sa.Pool, name: str | None) -> None:
        self.pid = os.getpid()
        self._lock = Lock()
        self._number = next(_numbers)
        self._driver: t.Any = None
        self._pooled = pool.recreate().connect()
        self._driver = self._pooled.dbapi_connection
        self._pooled.detach()
        self.path = _as_named(_file_of(self._driver), name)
        self.identity = _identity(os.stat(self.path))

    def version(self, status: os.stat_result) -> Version:
        """Return the version of the database.

        :param status: the status of its file. If another file is copied over it, the
            number may stay the same.
        """
        with self._lock:
            self._check_open()
            (number,) = self._driver.execute("PRAGMA data_version").fetchone()
        # Numbers of different connections cannot be compared.
        return (self._number, number, status.st_mtime_ns, status.st_size)

    @contextmanager
    def connection(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Yield the connection.

        :param engine: the engine whose event listeners see the statements.
        """
        with self._lock:
            self._check_open()
            try:
                yield sa.Connection(engine, self._pooled)
            finally:
                # A listener of the host may have begun a transaction, which would show
                # the same version for ever.
                self._driver.rollback()

    def execute(self, statement: Statement) -> list[t.Any]:
        """Return the rows of a SELECT, past SQLAlchemy."""
        with self._lock:
            self._check_open()
            rows = self._driver.execute(statement.text, statement.parameters)
            return t.cast("list[t.Any]", rows.fetchall())

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            driver, self._driver = self._driver, None
            driver.close()

    def _check_open(self) -> None:
        if self._driver is None:
            # Another thread has replaced the connection.
            raise Bypassed

    def __del__(self) -> None:
        if self.pid != os.getpid():
            _INHERITED.append(self)
        elif self._driver is not None:
            self._driver.close()


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _as_named(path: str, name: str | None) -> str:
    """Return the path by which the host opens a file.

    :param path: the file. SQLite has followed all links.
    """
    # The name may also be an address ("file:…"), or the host may open another file.
    if name and os.path.exists(name) and os.path.samefile(name, path):
        return os.path.abspath(name)
    return path


def _file_of(driver: t.Any) -> str:
    # Since Python 3.12, a connection may always be in a transaction.
    if driver.in_transaction:
        raise Unavailable("the connections of the database are always in a transaction")
    (mode,) = driver.execute("PRAGMA locking_mode").fetchone()
    if mode != "normal":
        raise Unavailable(f"the locking mode of the database is {mode}")
    databases = driver.execute("PRAGMA database_list").fetchall()
    # The version is that of the main database only.
    if attached := [name for _, name, _ in databases if name not in ("main", "temp")]:
        raise Unavailable(f"the connections attach the database {attached[0]}")
    path = next((file for _, name, file in databases if name == "main"), "")
    if not path:
        raise Unavailable("the database has no file")
    return t.cast(str, path)
