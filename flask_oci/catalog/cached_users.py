"""Users of the host, loaded without a statement as long as nothing is committed."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .host_session import current_session

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .database import Database

#: Stands for a user that cannot be copied.
_NOT_COPIED: t.Final = object()


class CachedUsers:
    """Loads users, and identifies them in the keys of cached values.

    :param database: the database, whose session gets the users.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def load(
        self, subject: str, load: Callable[[str], t.Any], *, is_traced: bool
    ) -> t.Any:
        """Return the user of a subject, as an object of the current session.

        :param load: loads the user. Its result must depend on the database and on its
            argument alone.
        :param is_traced: whether it reads the database only with SELECT statements of
            the session's engine.
        """
        loaded: list[t.Any] = []

        def compute() -> t.Any:
            loaded.append(load(subject))
            return _copy_of(loaded[0])

        copy = self._db.reads.value(
            ("user", load, subject), compute, is_traced=is_traced
        )
        if loaded:
            return loaded[0]
        if copy is None:
            return None
        session = current_session(self._db.session)
        if copy is _NOT_COPIED or sa.inspect(copy).key in session.identity_map:
            return load(subject)
        return session.merge(copy, load=False)

    def key_of(self, user: t.Any) -> tuple[t.Any, ...] | None:
        """Return a key for values that depend on a user, or None if there is none.

        An object of another session may be outdated, and one with changes is not what
        the database has.

        :param user: one of the host's users, or None for an anonymous client.
        """
        if user is None:
            return ()
        state = getattr(user, "_sa_instance_state", None)
        session = current_session(self._db.session)
        if state is None or state.modified or state.session is not session:
            return None
        return t.cast("tuple[t.Any, ...] | None", state.key)


def _copy_of(user: t.Any) -> t.Any:
    """Return a copy of a user that belongs to no session.

    A user with more than the values of columns cannot be copied: related objects would
    have to be copied too, and a copy lacks the attributes that the host has set. A
    value that the database computes may depend on the time.
    """
    if user is None:
        return None
    state = getattr(user, "_sa_instance_state", None)
    if state is None or state.modified or state.key is None:
        return _NOT_COPIED
    if not all(map(_is_stored, state.mapper.column_attrs)):
        return _NOT_COPIED
    if set(vars(user)) - set(state.mapper.column_attrs.keys()) - {"_sa_instance_state"}:
        return _NOT_COPIED
    with sa.orm.Session() as session:
        copy = session.merge(user, load=False)
        session.expunge(copy)
    return copy


def _is_stored(attribute: t.Any) -> bool:
    """Return True if an attribute is a column of a table, not another expression."""
    table = getattr(attribute.columns[0], "table", None)
    return isinstance(attribute.columns[0], sa.Column) and isinstance(table, sa.Table)
