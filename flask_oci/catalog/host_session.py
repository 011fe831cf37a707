"""The host's session, and which of its databases our tables are in."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.orm import scoped_session
from werkzeug.local import LocalProxy

if t.TYPE_CHECKING:
    from .models import Models

    Session = scoped_session[t.Any]


class HasSession(t.Protocol):
    """What a host's database extension is to us: Flask-SQLAlchemy is that, and so is
    Flask-SQLAlchemy-Lite."""

    @property
    def session(self) -> t.Any:
        """The session of the current application context."""


def session_of(db: HasSession) -> Session:
    """Return a session that is the current application context's at each use.

    :param db: the host's; it may have a session within such a context only.
    """
    try:
        session = db.session
    except RuntimeError:
        session = None
    if isinstance(session, scoped_session):
        return session
    return t.cast("Session", LocalProxy(lambda: db.session))


def session_for(session: Session, models: Models) -> Session:
    """Return the host's session, as it is for statements about our tables.

    Our tables are in the users' database. Where that is not the host's first one,
    Flask-SQLAlchemy knows it by the model that a statement is about, and many of ours
    are about columns alone.

    :param session: the host's session.
    :param models: the tables.
    """
    if models.Repository.__table__.metadata.info.get("bind_key") is None:
        return session
    return t.cast("Session", _Bound(session, models))


class _Bound:
    """A session whose statements go to the database of our tables."""

    def __init__(self, session: Session, models: Models) -> None:
        self._session = session
        self._bind = {"mapper": sa.inspect(models.Repository)}

    def execute(self, statement: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return self._session.execute(statement, *args, **self._bound(kwargs))

    def scalar(self, statement: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return self._session.scalar(statement, *args, **self._bound(kwargs))

    def scalars(self, statement: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return self._session.scalars(statement, *args, **self._bound(kwargs))

    def _bound(self, kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"bind_arguments": self._bind, **kwargs}

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._session, name)
