"""Cached reads of the host's session."""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ..host_session import current_session
from .postgresql import PostgreSQLReader
from .reader import Bypassed
from .reader import Unavailable
from .sqlite import SQLiteReader
from .store import Key
from .store import MISSING
from .store import Store
from .store import Version

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from .reader import Reader
    from .reader import Rows

T = t.TypeVar("T")

# Keys in ``session.info``.

#: True while the cache must not be used.
_SUSPENDED: t.Final = "oci_reads_suspended"

#: The version that the session reads.
_SCOPE: t.Final = "oci_read_scope"

#: The connections of the session's transaction, by engine.
_CONNECTIONS: t.Final = "oci_connections"

#: The attribute of an engine with the caches of its database.
_CACHES: t.Final = "_oci_read_caches"

_logger = logging.getLogger("flask_oci")


class _Cache(t.NamedTuple):
    """The cache of one database."""

    reader: Reader
    store: Store


class _Scope(t.NamedTuple):
    """The version that a session reads in one request, until its transaction writes or
    ends."""

    request: object
    """Identifies the request."""

    engine: sa.Engine
    cache: _Cache
    version: Version
    first: Version | None
    """The version when the session was new, or None if it may have older objects."""

    writes: int

    def is_current(self, session: Session, request: object) -> bool:
        """Return True if this is the same request, and the session has not written."""
        if request is not self.request:
            return False
        connection = _connection(session, self.engine)
        return self.cache.reader.writes(connection) == self.writes


class CachedReads:
    """Reads of the host's session that use the cache where that changes no result.

    :param session: the host's session.
    :param mapper: the mapper that selects the database.
    """

    def __init__(self, session: t.Any, mapper: t.Any) -> None:
        self._session = session
        self._bind = {"mapper": mapper}
        self._is_reported = False
        self.is_enabled: Callable[[], bool] = lambda: True
        """Returns False if the host has switched the cache off."""

        self.audience: Callable[[], t.Hashable] = lambda: None
        """Returns the caller. A caller gets no answer faster because another caller
        asked before, which would show what exists."""

        self.request: Callable[[], object | None] = lambda: None
        """Returns an object that identifies the registry's request, which reads one
        version. It returns None in other code, where the cache is not used: that code
        may run for hours, and its caller is not known."""

    def rows(self, statement: sa.Executable, values: dict[str, t.Any]) -> Rows:
        """Return the rows of a SELECT on columns.

        :param statement: the statement, always the same object.
        :param values: the values of its parameters, in the same order each time.
        """
        session = current_session(self._session)
        scope = self._scope(session)
        if scope is None:
            return self._connect(session).execute(statement, values).all()
        key = (self.audience(), statement, *values.values())
        found = scope.cache.store.get(scope.version, key)
        if found is not MISSING:
            return t.cast("Rows", found)
        rows = self._read(session, scope, statement, values)
        if self._is_current(session, scope):
            scope.cache.store.put(scope.version, key, rows)
        return rows

    def _read(
        self, session: Session, scope: _Scope, statement: sa.Executable, values: t.Any
    ) -> Rows:
        try:
            with scope.cache.reader.connection(
                scope.engine, lambda: self._connect(session)
            ) as connection:
                return connection.execute(statement, values).all()
        except (Bypassed, Unavailable):
            return self._connect(session).execute(statement, values).all()

    def _is_current(self, session: Session, scope: _Scope) -> bool:
        """Return True if the database still has the version of a scope, so that rows
        which were read meanwhile are of this version."""
        try:
            version = scope.cache.reader.version(
                lambda: self._connect(session), scope.writes
            )
        except (Bypassed, Unavailable):
            return False
        return version == scope.version

    def value(
        self,
        key: Key,
        compute: Callable[[], T],
        is_kept: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """Return a value that depends on the database and on the key alone.

        :param key: identifies the value.
        :param compute: computes it. Nothing is kept if this raises an exception.
        :param is_kept: returns False for a value that is to be computed each time.
        """
        session = current_session(self._session)
        scope = self._scope(session)
        if scope is None:
            return compute()
        key = (self.audience(), *key)
        found = scope.cache.store.get(scope.version, key)
        if found is not MISSING:
            return t.cast(T, found)
        value = compute()
        if not is_kept(value):
            return value
        # The session's objects may be as old as the session. They are known to be
        # current only if nothing has been committed since it was new.
        now = self._new_scope(session)
        if now is not None and now.version == now.first:
            now.cache.store.put(now.version, key, value)
        return value

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Execute each read of the session, within a write transaction.

        After it has waited for a lock, it has to read what is committed now.
        """
        info = current_session(self._session).info
        info[_SUSPENDED] = True
        try:
            yield
        finally:
            info.pop(_SUSPENDED, None)

    def _connect(self, session: Session) -> sa.Connection:
        return session.connection(self._bind)

    def _scope(self, session: Session) -> _Scope | None:
        """Return the scope of the session, or None if it must not use the cache."""
        scope: _Scope | None = session.info.get(_SCOPE)
        if scope is not None and scope.is_current(session, self.request()):
            return scope
        return self._new_scope(session)

    def _new_scope(self, session: Session) -> _Scope | None:
        """Return a new scope, with the version that the database has now."""
        info, request = session.info, self.request()
        if request is None or _SUSPENDED in info or not self.is_enabled():
            return None
        engine = session.get_bind(**self._bind)
        if not isinstance(engine, sa.Engine):
            # In tests of a host, all sessions may share one connection.
            return None
        cache = self._cache(session, engine)
        if cache is None:
            return None
        before: _Scope | None = info.pop(_SCOPE, None)
        connection = _connection(session, engine)
        is_new = connection is None and not session.identity_map
        writes = cache.reader.writes(connection)
        try:
            version = cache.reader.version(lambda: self._connect(session), writes)
        except Bypassed:
            return None
        except Unavailable as error:
            self._report(error)
            return None
        first = version if is_new else None
        if before is not None:
            first = before.first
        # Asking for the version may have begun the transaction, on a connection that
        # wrote in earlier ones.
        writes = cache.reader.writes(_connection(session, engine))
        scope = _Scope(request, engine, cache, version, first, writes)
        info[_SCOPE] = scope
        return scope

    def _cache(self, session: Session, engine: sa.Engine) -> _Cache | None:
        """Return the cache of a database, or None if it has none."""
        # The cache refers to its engine, so only the engine may refer to the cache.
        caches: dict[CachedReads, _Cache | None] = vars(engine).setdefault(_CACHES, {})
        if self not in caches:
            made = self._make_cache(session, engine)
            caches.setdefault(self, made)
        return caches[self]

    def _make_cache(self, session: Session, engine: sa.Engine) -> _Cache | None:
        reader: Reader
        try:
            if engine.dialect.name == "sqlite":
                reader = SQLiteReader(engine)
            elif engine.dialect.name == "postgresql":
                reader = PostgreSQLReader(engine, self._connect(session))
            else:
                return None
        except Unavailable as error:
            self._report(error)
            return None
        return _Cache(reader, Store())

    def _report(self, error: Unavailable) -> None:
        """Write the reason why the cache is not used to the log, once."""
        if not self._is_reported:
            self._is_reported = True
            _logger.warning(
                "The read cache is not used: %s. Each read executes a statement.", error
            )


def _connection(session: Session, engine: sa.Engine) -> sa.Connection | None:
    """Return the connection of a session's transaction, or None if it has none."""
    connections = session.info.get(_CONNECTIONS)
    return connections.get(engine) if connections else None


def _keep(session: Session, transaction: object, connection: sa.Connection) -> None:
    session.info.setdefault(_CONNECTIONS, {})[connection.engine] = connection


def _forget(session: Session, transaction: t.Any) -> None:
    # A savepoint may undo writes, so the version is asked for again.
    session.info.pop(_SCOPE, None)
    if transaction.parent is None:
        session.info.pop(_CONNECTIONS, None)


# A host may create its sessions by any class.
sa.event.listen(Session, "after_begin", _keep)
sa.event.listen(Session, "after_transaction_end", _forget)
