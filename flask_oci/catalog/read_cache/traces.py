"""Traces: the statements on which a computed value depends.

A function that reads nothing but the database, and reads it with these statements only,
returns the same value for as long as they return the same rows.
"""

from __future__ import annotations

import datetime
import decimal
import typing as t
import uuid
from contextlib import contextmanager
from contextvars import ContextVar

import sqlalchemy as sa
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator

#: The maximum number of statements of a trace.
MAX_STATEMENTS: t.Final = 50

#: The execution options of the cache's own statements, which are not recorded.
UNRECORDED: t.Final = {"oci_unrecorded": True}

#: The types of the values in rows that can be compared. They are immutable, and equal
#: only if they are the same.
_COMPARABLE: t.Final = frozenset(
    {
        *(type(None), bool, int, float, str, bytes, decimal.Decimal, uuid.UUID),
        *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    }
)

#: The events of an engine whose listeners see statements.
_EVENTS: t.Final = (
    *("before_cursor_execute", "after_cursor_execute"),
    *("before_execute", "after_execute"),
)

#: The values of rows, each with its type, because 1 equals True.
Rows: t.TypeAlias = tuple[t.Any, ...]


class Statement(t.NamedTuple):
    """A SELECT, as the driver gets it."""

    text: str
    values: tuple[t.Any, ...]
    names: tuple[str, ...] | None
    """The names of the parameters, or None if they are numbered."""

    @property
    def parameters(self) -> t.Any:
        """The parameters as the driver gets them."""
        if self.names is None:
            return self.values
        return dict(zip(self.names, self.values, strict=True))


def comparable(rows: Iterable[t.Any]) -> Rows | None:
    """Return rows so that they can be compared, or None if that is not possible."""
    found = []
    for row in rows:
        types = tuple(map(type, row))
        if not _COMPARABLE.issuperset(types):
            return None
        found.append((types, tuple(row)))
    return tuple(found)


def execute(connection: sa.Connection, statement: Statement) -> Rows | None:
    """Return the rows of a statement, or None if they cannot be compared."""
    result = connection.exec_driver_sql(
        statement.text, statement.parameters, execution_options=UNRECORDED
    )
    return comparable(result)


def read(
    connection: sa.Connection, statement: sa.Executable, values: dict[str, t.Any]
) -> tuple[t.Sequence[t.Any], Rows | None]:
    """Return the rows of a SELECT on columns, and the same as the driver returns them,
    or None if these cannot be compared."""
    result = connection.execute(statement, values)
    raw = result.cursor.fetchall()
    # The interface by which dialects replace the rows of a cursor.
    result.cursor_strategy = FullyBufferedCursorFetchStrategy(
        result.cursor, initial_buffer=raw
    )
    return result.all(), comparable(raw)


def has_listeners(engine: sa.Engine) -> bool:
    """Return True if functions of the host see, or change, each statement."""
    return bool(engine.echo) or any(
        listener is not record
        for name in _EVENTS
        for listener in getattr(engine.dispatch, name)
    )


#: Statements with their rows, in the order of their execution.
Trace: t.TypeAlias = tuple[tuple[Statement, Rows], ...]


class Recorder:
    """Records the statements that may have had an effect on the objects of a session.

    It begins with a new session, because a later function may find the objects that
    earlier statements have read.
    """

    def __init__(self) -> None:
        self._statements: dict[Statement, None] | None = {}
        self.is_computing = False
        """Whether a function of the host is running."""

    @property
    def statements(self) -> tuple[Statement, ...] | None:
        """The statements, or None if there were other ones."""
        return None if self._statements is None else tuple(self._statements)

    def add(self, statements: tuple[Statement, ...] | None) -> None:
        """Add statements; None makes the record useless."""
        if statements is None or self._statements is None:
            self._statements = None
            return
        self._statements.update(dict.fromkeys(statements))
        if len(self._statements) > MAX_STATEMENTS:
            self._statements = None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Record a function of the host."""
        before, self.is_computing = self.is_computing, True
        try:
            yield
        finally:
            self.is_computing = before


_current: ContextVar[Recorder | None] = ContextVar("oci_recorder", default=None)


def begin() -> Recorder:
    """Begin to record the statements of this thread, and end the record before."""
    recorder = Recorder()
    _current.set(recorder)
    return recorder


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record the statements of this context apart."""
    recorder = Recorder()
    token = _current.set(recorder)
    try:
        yield recorder
    finally:
        _current.reset(token)


def is_current(recorder: Recorder | None) -> bool:
    """Return True if a recorder gets the statements of this thread."""
    return recorder is not None and _current.get() is recorder


def record(
    connection: sa.Connection,
    cursor: t.Any,
    statement: str,
    parameters: t.Any,
    context: t.Any,
    executemany: bool,
) -> tuple[str, t.Any]:
    """Record a statement, as a listener to ``before_cursor_execute``.

    :return: the statement and its parameters, unchanged.
    """
    recorder = _current.get()
    if recorder is not None and not is_unrecorded(context):
        found = None if executemany else _read(statement, parameters, context)
        recorder.add(None if found is None else (found,))
    return statement, parameters


def is_unrecorded(context: t.Any) -> bool:
    """Return True for the cache's own statements.

    :param context: the execution context of the statement.
    """
    return "oci_unrecorded" in context.execution_options


def _read(statement: str, parameters: t.Any, context: t.Any) -> Statement | None:
    """Return a statement, or None if it does more than to read, or cannot be compared
    with others."""
    select = context.compiled.statement if context.compiled is not None else None
    if not isinstance(select, sa.Select) or select._for_update_arg is not None:
        return None
    names = tuple(parameters) if isinstance(parameters, dict) else None
    values = tuple(parameters if names is None else parameters.values())
    if not _COMPARABLE.issuperset(map(type, values)):
        return None
    return Statement(statement, values, names)
