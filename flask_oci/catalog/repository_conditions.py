"""Conditions that select repositories, for the registry and the host."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..rules.visibility import INTERNAL
from ..rules.visibility import PUBLIC
from .database import Condition
from .database import Database
from .path_conditions import below

if t.TYPE_CHECKING:
    from collections.abc import Callable


class RepositoryConditions:
    """Conditions on the table of the repositories."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.upstreams: Callable[[], t.Mapping[str, str]] = dict
        """Returns the namespaces of upstreams, each with the visibility of its
        repositories."""

    def readable_by(self, user_id: t.Any) -> Condition:
        """Return the condition for the repositories that a user may pull by the default
        policy."""
        Repository = self._db.models.Repository
        shown = (PUBLIC,) if user_id is None else (PUBLIC, INTERNAL)
        readable: Condition = Repository.visibility.in_(shown)
        if user_id is not None:
            readable = sa.or_(readable, Repository.owner_id == user_id)
        if not (upstreams := self.upstreams()):
            return readable
        # The configuration decides on the repositories of an upstream.
        opened = [name for name, each in upstreams.items() if each in shown]
        cached = Repository.upstream.in_(list(upstreams))
        return sa.or_(
            Repository.upstream.in_(opened),
            sa.and_(sa.or_(Repository.upstream.is_(None), ~cached), readable),
        )

    def owned_by(self, user_id: t.Any) -> Condition:
        """Return the condition for the repositories of an owner; None owns nothing."""
        if user_id is None:
            return self.nothing()
        return t.cast(Condition, self._db.models.Repository.owner_id == user_id)

    def owned_exactly_by(self, user_id: t.Any) -> Condition:
        """Return the condition for the repositories of an owner; None is those without
        an owner."""
        return t.cast(Condition, self._db.models.Repository.owner_id == user_id)

    def path_filter(self, path: t.Any) -> Condition:
        """Return the condition for the repository with the name ``path``, and for those
        whose names begin with it and a slash.

        :param path: a string, or an SQL expression such as a column.
        """
        return below(self._db.models.Repository.name, path)

    def nothing(self) -> Condition:
        """Return the condition that no repository matches."""
        return sa.false()
