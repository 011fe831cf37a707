"""Cached reads of the host's session."""

from __future__ import annotations

import typing as t
from contextlib import nullcontext

import sqlalchemy as sa

from ..host_session import current_session
from . import traces
from .reader import Bypassed
from .reader import Unavailable
from .scopes import recorder_of
from .scopes import Scopes
from .store import Key
from .store import MISSING

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from .reader import Rows
    from .scopes import Scope
    from .traces import Statement
    from .traces import Trace

T = t.TypeVar("T")


class _Kept(t.NamedTuple):
    """A value of one version."""

    value: t.Any
    statements: tuple[Statement, ...] | None
    """The statements on which it depends, or None if they are not known."""


class _Traced(t.NamedTuple):
    """A value with the rows on which it depends."""

    kept: _Kept
    trace: Trace


class CachedReads(Scopes):
    """Reads of the host's session that use the cache where that changes no result.

    :param session: the host's session.
    :param mapper: the mapper that selects the database.
    """

    def __init__(self, session: t.Any, mapper: t.Any) -> None:
        super().__init__(session, mapper)
        self.audience: Callable[[], t.Hashable] = lambda: None
        """Returns the caller. A caller gets no answer faster because another caller
        asked before, which would show what exists."""

    def rows(
        self,
        statement: sa.Executable,
        values: dict[str, t.Any],
        *,
        is_traced: bool = False,
    ) -> Rows:
        """Return the rows of a SELECT on columns.

        :param statement: the statement, always the same object.
        :param values: the values of its parameters, in the same order each time.
        :param is_traced: whether the rows are kept until the driver returns other ones.
            A change of the rows then costs a second execution, so that the time of an
            answer shows it. It must be no secret of another user.
        """
        session = current_session(self._session)
        scope = self.scope(session)
        if scope is None:
            return self.connect(session).execute(statement, values).all()
        key = (self.audience(), statement, *values.values())
        kept = self._find(session, scope, key, is_traced=is_traced)
        if kept is None:
            kept, trace = self._read(session, scope, statement, values)
            if self.is_current(session, scope):
                self._keep(scope, key, kept, trace if is_traced else None)
        recorder = recorder_of(session)
        if recorder is not None and recorder.is_computing:
            # The result of the host's function depends on these rows.
            recorder.add(kept.statements)
        return t.cast("Rows", kept.value)

    def value(
        self,
        key: Key,
        compute: Callable[[], T],
        is_kept: Callable[[T], bool] = lambda _: True,
        *,
        is_traced: bool = False,
    ) -> T:
        """Return a value that depends on the database and on the key alone.

        :param key: identifies the value.
        :param compute: computes it. Nothing is kept if this raises an exception.
        :param is_kept: returns False for a value that is to be computed each time.
        :param is_traced: whether it reads the database only with SELECT statements of
            the session's engine. The value is then kept until they return other rows.
        """
        session = current_session(self._session)
        scope = self.scope(session)
        if scope is None:
            return compute()
        key = (self.audience(), *key)
        kept = self._find(session, scope, key, is_traced=is_traced)
        recorder = recorder_of(session)
        if kept is not None:
            if recorder is not None:
                # The session may get an object that was read by these statements.
                recorder.add(kept.statements)
            return t.cast(T, kept.value)
        with nullcontext() if recorder is None else recorder.computing():
            value = compute()
        if not is_kept(value):
            return value
        # The session's objects may be as old as the session. They are known to be
        # current only if nothing has been committed since it was new.
        now = self.new_scope(session)
        if now is not None and now.version == now.first:
            recorder = recorder_of(session) if is_traced else None
            statements = None if recorder is None else recorder.statements
            trace = None
            if statements is not None:
                trace = self._execute(session, now, statements)
            self._keep(now, key, _Kept(value, statements), trace)
        return value

    def _read(
        self,
        session: Session,
        scope: Scope,
        statement: sa.Executable,
        values: dict[str, t.Any],
    ) -> tuple[_Kept, Trace | None]:
        """Return the rows of a statement, and what the driver returned."""
        with traces.recording() as recorder:
            try:
                with scope.cache.reader.connection(
                    scope.engine, lambda: self.connect(session)
                ) as connection:
                    rows, raw = traces.read(connection, statement, values)
            except (Bypassed, Unavailable):
                rows, raw = traces.read(self.connect(session), statement, values)
        statements = recorder.statements
        if raw is None or statements is None or len(statements) != 1:
            return _Kept(rows, statements), None
        return _Kept(rows, statements), ((statements[0], raw),)

    def _keep(self, scope: Scope, key: Key, kept: _Kept, trace: Trace | None) -> None:
        """Keep a value for the version of a scope, and, with a trace, for versions in
        which its statements return the same rows."""
        scope.cache.store.put(scope.version, key, kept)
        if trace is not None:
            scope.cache.traced.put((), key, _Traced(kept, trace))

    def _find(
        self, session: Session, scope: Scope, key: Key, *, is_traced: bool
    ) -> _Kept | None:
        """Return a kept value that is valid for the version of a scope, or None."""
        found = scope.cache.store.get(scope.version, key)
        if found is not MISSING:
            return t.cast(_Kept, found)
        traced = scope.cache.traced.get((), key) if is_traced else MISSING
        if traced is MISSING:
            return None
        kept, trace = t.cast(_Traced, traced)
        if self._execute(session, scope, kept.statements or (), dict(trace)) is None:
            return None
        scope.cache.store.put(scope.version, key, kept)
        return kept

    def _execute(
        self,
        session: Session,
        scope: Scope,
        statements: tuple[Statement, ...],
        expected: dict[Statement, traces.Rows] | None = None,
    ) -> Trace | None:
        """Return the rows of statements in the version of a scope.

        :param expected: the rows to expect. A statement after one with other rows is
            not executed, because the function might not have executed it.
        :return: None if the rows cannot be compared or are not those, or if the
            database has another version now.
        """
        store, audience = scope.cache.store, self.audience()
        found: list[tuple[Statement, traces.Rows]] = []
        new: list[tuple[Key, t.Any]] = []
        try:
            for statement in statements:
                key: Key = (audience, statement)
                rows = store.get(scope.version, key)
                if rows is MISSING:
                    rows = scope.cache.reader.rows(
                        scope.engine, lambda: self.connect(session), statement
                    )
                    new.append((key, rows))
                if rows is None or (expected and rows != expected[statement]):
                    return None
                found.append((statement, rows))
        except (Bypassed, Unavailable):
            return None
        if new and not self.is_current(session, scope):
            return None
        for key, rows in new:
            store.put(scope.version, key, rows)
        return tuple(found)
