"""Scopes: the version of the database that a session reads in one request."""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ..host_session import current_session
from . import traces
from .postgresql import PostgreSQLReader
from .reader import Bypassed
from .reader import Unavailable
from .sqlite import SQLiteReader
from .store import Store
from .store import Version

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from .reader import Reader
    from .traces import Recorder

# Keys in ``session.info``.

#: True while the cache must not be used.
_SUSPENDED: t.Final = "oci_reads_suspended"

#: The version that the session reads.
_SCOPE: t.Final = "oci_read_scope"

#: The recorder of the session's statements, if the session was new.
_RECORDER: t.Final = "oci_recorder"

#: The connections of the session's transaction, by engine.
_CONNECTIONS: t.Final = "oci_connections"

#: The attribute of an engine with the caches of its database.
_CACHES: t.Final = "_oci_read_caches"

_logger = logging.getLogger("flask_oci")


class Cache(t.NamedTuple):
    """The cache of one database."""

    reader: Reader
    store: Store
    traced: Store
    """Values of any version, with the rows that they depend on."""


class Scope(t.NamedTuple):
    """The version that a session reads in one request, until its transaction writes or
    ends."""

    request: object
    """Identifies the request."""

    engine: sa.Engine
    cache: Cache
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


class Scopes:
    """Asks for the versions that the host's session reads.

    :param session: the host's session.
    :param mapper: the mapper that selects the database.
    """

    def __init__(self, session: t.Any, mapper: t.Any) -> None:
        self._session = session
        self._bind = {"mapper": mapper}
        self._is_reported = False
        self.is_enabled: Callable[[], bool] = lambda: True
        """Returns False if the host has switched the cache off."""

        self.request: Callable[[], object | None] = lambda: None
        """Returns an object that identifies the registry's request, which reads one
        version. It returns None in other code, where the cache is not used: that code
        may run for hours, and its caller is not known."""

        self.is_writing: Callable[[], bool] = lambda: False
        """Returns True in a request that changes the registry. Each of its commits
        gives the database a new version, so few reads find a kept value."""

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

    def connect(self, session: Session) -> sa.Connection:
        """Return the connection of the session's transaction, which may begin here."""
        return session.connection(self._bind)

    def scope(self, session: Session) -> Scope | None:
        """Return the scope of the session, or None if it must not use the cache."""
        scope: Scope | None = session.info.get(_SCOPE)
        if scope is not None and scope.is_current(session, self.request()):
            return scope
        return self.new_scope(session)

    def new_scope(self, session: Session) -> Scope | None:
        """Return a new scope, with the version that the database has now."""
        info, request = session.info, self.request()
        if request is None or _SUSPENDED in info or not self.is_enabled():
            return None
        engine = session.get_bind(**self._bind)
        if not isinstance(engine, sa.Engine):
            # In tests of a host, all sessions may share one connection.
            return None
        cache = self._cache(session, engine)
        if cache is None or (cache.reader.asks_server and self.is_writing()):
            return None
        before: Scope | None = info.pop(_SCOPE, None)
        connection = _connection(session, engine)
        is_new = connection is None and not session.identity_map
        writes = cache.reader.writes(connection)
        try:
            version = cache.reader.version(lambda: self.connect(session), writes)
        except Bypassed:
            return None
        except Unavailable as error:
            self._report(error)
            return None
        first = version if is_new else None
        if before is not None:
            first = before.first
        if is_new:
            info[_RECORDER] = traces.begin()
        elif first is None:
            info.pop(_RECORDER, None)
        # Asking for the version may have begun the transaction, on a connection that
        # wrote in earlier ones.
        writes = cache.reader.writes(_connection(session, engine))
        scope = Scope(request, engine, cache, version, first, writes)
        info[_SCOPE] = scope
        return scope

    def is_current(self, session: Session, scope: Scope) -> bool:
        """Return True if the database still has the version of a scope, so that rows
        which were read meanwhile are of this version."""
        try:
            version = scope.cache.reader.version(
                lambda: self.connect(session), scope.writes
            )
        except (Bypassed, Unavailable):
            return False
        return version == scope.version

    def _cache(self, session: Session, engine: sa.Engine) -> Cache | None:
        """Return the cache of a database, or None if it has none."""
        # The cache refers to its engine, so only the engine may refer to the cache.
        caches: dict[Scopes, Cache | None] = vars(engine).setdefault(_CACHES, {})
        if self not in caches:
            made = self._make_cache(session, engine)
            caches.setdefault(self, made)
        return caches[self]

    def _make_cache(self, session: Session, engine: sa.Engine) -> Cache | None:
        reader: Reader
        try:
            if engine.dialect.name == "sqlite":
                reader = SQLiteReader(engine)
            elif engine.dialect.name == "postgresql":
                reader = PostgreSQLReader(engine, self.connect(session))
            else:
                return None
        except Unavailable as error:
            self._report(error)
            return None
        # Listeners that may change a statement are not wrapped, so that
        # ``has_listeners`` recognizes this one.
        sa.event.listen(engine, "before_cursor_execute", traces.record, retval=True)
        return Cache(reader, Store(), Store())

    def _report(self, error: Unavailable) -> None:
        """Write the reason why the cache is not used to the log, once."""
        if not self._is_reported:
            self._is_reported = True
            _logger.warning(
                "The read cache is not used: %s. Each read executes a statement.", error
            )


def recorder_of(session: Session) -> Recorder | None:
    """Return the recorder of a session's statements, or None if some of them were not
    recorded."""
    recorder: Recorder | None = session.info.get(_RECORDER)
    return recorder if traces.is_current(recorder) else None


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
