"""The host's session, bound to the database that has the registry's tables."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.orm import scoped_session
from werkzeug.local import LocalProxy

from .retries import FAILURES

if t.TYPE_CHECKING:
    from .models import Models

    Session = scoped_session[t.Any]


class HasSession(t.Protocol):
    """The interface of a host's database extension. Flask-SQLAlchemy and
    Flask-SQLAlchemy-Lite have it."""

    @property
    def session(self) -> t.Any:
        """The session of the current application context."""


def session_of(db: HasSession) -> Session:
    """Return a session that stands for the current application context's session.

    :param db: the host's database extension. It may have a session only within an
        application context.
    """
    try:
        session = db.session
    except RuntimeError:
        session = None
    if isinstance(session, scoped_session):
        return session
    return t.cast("Session", LocalProxy(lambda: db.session))


def current_session(session: Session) -> sa.orm.Session:
    """Return the session that a session of this module stands for at the moment."""
    found: t.Any = session.proxied if isinstance(session, _Bound) else session
    if isinstance(found, LocalProxy):
        found = found._get_current_object()
    found = found() if isinstance(found, scoped_session) else found
    return t.cast("sa.orm.Session", found)


def close_session(session: Session) -> None:
    """Close the session, as the host's extension does at the end of the application
    context.

    A server may have closed the connection since the last statement. The extension
    would raise an exception, although the response is complete.
    """
    try:
        session.close()
    except FAILURES:
        current_session(session).invalidate()


def session_for(session: Session, models: Models) -> Session:
    """Return the host's session, bound to the database of the registry's tables.

    The tables are in the database of the user table. If that is not the host's default
    database, Flask-SQLAlchemy finds it by the model in a statement, but many of the
    registry's statements contain only columns.

    :param session: the host's session.
    :param models: the tables.
    """
    if models.Repository.__table__.metadata.info.get("bind_key") is None:
        return session
    return t.cast("Session", _Bound(session, models))


class _Bound:
    """A session that executes statements in the database of the registry's tables."""

    def __init__(self, session: Session, models: Models) -> None:
        self.proxied = session
        self._bind = {"mapper": sa.inspect(models.Repository)}

    def execute(self, statement: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return self.proxied.execute(statement, *args, **self._bound(kwargs))

    def scalar(self, statement: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return self.proxied.scalar(statement, *args, **self._bound(kwargs))

    def scalars(self, statement: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return self.proxied.scalars(statement, *args, **self._bound(kwargs))

    def _bound(self, kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"bind_arguments": self._bind, **kwargs}

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self.proxied, name)
