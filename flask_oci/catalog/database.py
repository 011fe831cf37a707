"""Transactions, and the two statements that make races end in success."""

from __future__ import annotations

import random
import time
import typing as t
from functools import cache
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.selectable import GenerativeSelect

from . import async_commit
from . import outbox
from .change_observer import NullObserver

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import scoped_session
    from typing_extensions import Unpack

    from ..changes import Change
    from .change_observer import Observer
    from .models import Models

T = t.TypeVar("T")
#: What a statement returned.
Rows: t.TypeAlias = "sa.CursorResult[Unpack[tuple[t.Any, ...]]]"
#: What rows have to be like.
Condition: t.TypeAlias = "sa.ColumnElement[bool]"

SelectT = t.TypeVar("SelectT", bound=GenerativeSelect)

#: What is raised when the database does not answer, or not in time.
FAILURES: t.Final = (
    OperationalError,
    InterfaceError,
    # PostgreSQL refuses to write in a read-only transaction with this one.
    sa.exc.InternalError,
    sa.exc.TimeoutError,
)

#: Where a session has the changes that its transaction makes.
_TOLD: t.Final = "oci_told"

#: How often a transaction is tried before the database's refusal is believed.
ATTEMPTS: t.Final = 8

#: The longest wait before the first retry, in seconds; it doubles each time.
FIRST_WAIT: t.Final = 0.01

_SERIALIZATION_FAILURES = frozenset({"40001", "40P01"})
_MYSQL_RETRIES = frozenset({1020, 1205, 1213})


class Database:
    """The host's session and our tables.

    :param session: the host's session; each application context has its own.
    :param models: the tables.
    """

    def __init__(self, session: scoped_session[t.Any], models: Models) -> None:
        self.session = session
        self.models = models
        self.observer: Observer = NullObserver()

    def release(self) -> None:
        """End the transaction and give the connection back.

        What the host may have changed in the session is kept. Called before
        body bytes flow: a slow client must not hold a connection.
        """
        try:
            self.session.commit()
        except BaseException:
            # Otherwise SQLAlchemy would give the connection back as it is, in the
            # middle of a transaction, and whoever had it next would read the past.
            self.session.rollback()
            raise

    def execute(self, statement: sa.Executable, values: t.Any = None) -> Rows:
        """Execute a statement about columns, in the session's transaction.

        The session could do it as well, in half as much time again: what it would look
        after are objects.

        :param values: what is bound to the statement's parameters; a list of such
            executes it for each.
        """
        connection = self.session.connection({"mapper": self.models.Repository})
        return connection.execute(statement, values)

    def change(self, statement: sa.Executable, values: t.Any = None) -> int:
        """Execute a statement as :meth:`execute` does.

        :return: how many rows it has changed, or deleted.
        """
        return int(t.cast(t.Any, self.execute(statement, values)).rowcount)

    def rollback(self) -> None:
        """Forget the transaction, in whatever state a failure has left it."""
        self.session.rollback()

    def write(self, work: Callable[[], T]) -> T:
        """Run ``work`` in a transaction of its own, and commit it.

        When the database asks for another try, because of a deadlock, a busy
        file or a row that a rival made first, ``work`` runs again from the
        start, so it must read what it depends on itself.

        :param work: does everything through :attr:`session`.
        :return: what ``work`` returned.
        """

        def attempt() -> tuple[T, list[Change]]:
            self._begin()
            told: list[Change] = []
            self.session.info[_TOLD] = told
            result = work()
            outbox.keep(self, told)
            self.session.commit()
            return result, told

        self.release()
        result, told = self._retry(attempt)
        self.observer.after(told)
        return result

    def execute_async_commit(
        self, statement: sa.Executable, values: dict[str, t.Any]
    ) -> bool:
        """Execute a statement in a transaction of its own, which a power cut may undo.

        :return: False when it refers to a row that is not, or no longer, there, or
            it has to be part of a larger transaction.
        """
        self.release()
        engine = self.session.get_bind(self.models.Repository)
        if not isinstance(engine, sa.Engine):
            # The host has its sessions share one connection, as tests do.
            return False

        def attempt() -> bool:
            try:
                async_commit.commit(engine, statement, values)
            except IntegrityError:
                return False
            return True

        return self._retry(attempt)

    def _retry(self, attempt: Callable[[], T]) -> T:
        """Try something again for as long as the database asks for that."""
        for number in range(ATTEMPTS):
            try:
                return attempt()
            except DBAPIError as error:
                self.session.rollback()
                if number == ATTEMPTS - 1 or not _worth_another_try(error):
                    raise
                # Rivals that wait equally long would only meet again.
                time.sleep(random.uniform(0, FIRST_WAIT * 2**number))  # noqa: S311
            except BaseException:
                self.session.rollback()
                raise
        raise AssertionError("the last attempt returns or raises")

    def record_change(self, change: Change, *, ask: bool = True) -> Change:
        """Tell of a change that the current transaction makes, before it makes it.

        Whoever listens is told once more after the commit, and the outbox has it then.

        :param ask: whether anybody may refuse it.
        :raises Denied: when somebody does.
        """
        if ask:
            self.ask(change)
        else:
            change.origin = self.observer.origin(change.by)
        self.session.info[_TOLD].append(change)
        return change

    def ask(self, change: Change) -> None:
        """Ask whether a change may be made.

        :raises Denied: when somebody refuses it.
        """
        change.origin = self.observer.origin(change.by)
        self.observer.before(change)

    def record_if_observed(self, change: Change) -> None:
        """Tell of something that changes nothing, such as a pull, if anybody wants to
        know."""
        if self.observer.is_persisted(change.kind):
            self.write(lambda: self.record_change(change, ask=False))
        elif self.observer.has_listeners(change.kind):
            change.origin = self.observer.origin(change.by)
            self.observer.after([change])

    def insert_if_absent(self, model: type[t.Any], **values: t.Any) -> None:
        """Insert a row, or leave the one that is there with the same key."""
        self.insert_all_if_absent(model, [values])

    def insert_all_if_absent(
        self, model: type[t.Any], rows: list[dict[str, t.Any]]
    ) -> None:
        """Insert rows of the same columns, but for those that are there."""
        self.execute(_insert_if_absent(self._dialect, model.__table__), rows)

    def upsert(
        self, model: type[t.Any], key: dict[str, t.Any], **values: t.Any
    ) -> None:
        """Insert a row, or change the one that is there with the same key."""
        statement = _upsert(self._dialect, model.__table__, tuple(key), tuple(values))
        self.execute(statement, {**key, **values})

    def lock_repository(self, repository_id: int) -> str | None:
        """Keep rivals from changing what a repository holds until the transaction
        ends, so that what was checked stays true.

        :return: its name, or None when it has been deleted meanwhile.
        """
        name = self.execute(self._locking, {"key": repository_id}).scalar()
        return t.cast("str | None", name)

    @cached_property
    def _locking(self) -> sa.Select[t.Any]:
        columns = self.models.Repository.__table__.c
        return (
            sa.select(columns.name)
            .where(columns.id == sa.bindparam("key"))
            .with_for_update()
        )

    @property
    def _dialect(self) -> str:
        return self.session.get_bind(self.models.Repository).dialect.name

    def _begin(self) -> None:
        """Begin a transaction in which what is checked is so.

        MySQL's read what was so when they first read anything, although they have
        waited for a lock since. A SQLite transaction that reads first and writes
        later is refused, with no waiting, when anybody wrote in between.
        """
        mapper = {"mapper": self.models.Repository}
        if self._dialect in ("mysql", "mariadb"):
            self.session.connection(
                mapper, execution_options={"isolation_level": "READ COMMITTED"}
            )
        if self._dialect != "sqlite":
            return
        connection = self.session.connection(mapper)
        driver = connection.connection.dbapi_connection
        if driver is not None and not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


@cache
def _insert_if_absent(dialect: str, table: sa.Table) -> sa.Insert:
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    if dialect in ("mysql", "mariadb"):
        key = next(iter(table.primary_key))
        return mysql.insert(table).on_duplicate_key_update({key.name: key})
    return sqlite.insert(table).on_conflict_do_nothing()


@cache
def _upsert(
    dialect: str, table: sa.Table, key: tuple[str, ...], changed: tuple[str, ...]
) -> sa.Insert:
    if dialect in ("mysql", "mariadb"):
        mine = mysql.insert(table)
        return mine.on_duplicate_key_update({c: mine.inserted[c] for c in changed})
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    new = insert(table)
    return new.on_conflict_do_update(
        index_elements=key, set_={c: new.excluded[c] for c in changed}
    )


def _worth_another_try(error: DBAPIError) -> bool:
    original = error.orig
    if isinstance(error, IntegrityError):
        return True
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if state in _SERIALIZATION_FAILURES:
        return True
    arguments = getattr(original, "args", ())
    if arguments and arguments[0] in _MYSQL_RETRIES:
        return True
    return "database is locked" in str(original)


def newest(statement: SelectT) -> SelectT:
    """Make a statement read what is committed now, not when the transaction began.

    MySQL's transactions keep reading the past, in which the row that
    :meth:`Database.insert_if_absent` met does not exist.
    """
    return statement.with_for_update(read=True)
