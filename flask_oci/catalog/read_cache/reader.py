"""The interface of readers: the version of a database, and a connection to it."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa

from .store import Version
from .traces import Rows as ComparableRows
from .traces import Statement

if t.TYPE_CHECKING:
    from collections.abc import Callable

Rows: t.TypeAlias = Sequence[t.Any]


class Unavailable(Exception):
    """The database has no version, or has not told it. The argument is the reason."""


class Bypassed(Exception):
    """This read must not use the cache: the transaction has changes that are not
    committed, or another thread is replacing the connection."""


class Reader(t.Protocol):
    """Reads one database. It is safe to use from any number of threads.

    The functions that are named ``connect`` return the connection of the host's
    session, and begin a transaction if there is none.
    """

    asks_server: bool
    """Whether a server answers :meth:`version`, which takes as long as a read."""

    def writes(self, transaction: sa.Connection | None) -> int:
        """Return a number that changes if the session's transaction writes.

        :param transaction: the session's connection, or None outside transactions.
        """

    def version(self, connect: Callable[[], sa.Connection], writes: int) -> Version:
        """Return the current version.

        :param writes: the result of :meth:`writes`.
        :raises Bypassed: if the transaction has changes that are not committed.
        :raises Unavailable: if the database has no version.
        """

    def connection(
        self, engine: sa.Engine, connect: Callable[[], sa.Connection]
    ) -> AbstractContextManager[sa.Connection]:
        """Return the context of a connection to read rows on.

        :param engine: the engine, whose event listeners see the statements.
        :raises Bypassed: if another thread is replacing the connection.
        :raises Unavailable: if the cache has no connection.
        """

    def rows(
        self,
        engine: sa.Engine,
        connect: Callable[[], sa.Connection],
        statement: Statement,
    ) -> ComparableRows | None:
        """Return the rows of a recorded statement, or None if they cannot be compared.

        :param engine: the engine, whose event listeners see the statement.
        :raises Bypassed: if another thread is replacing the connection.
        :raises Unavailable: if the cache cannot execute the statement.
        """
