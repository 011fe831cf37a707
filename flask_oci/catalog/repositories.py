"""Repositories: names, owners and who may see them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import sqlalchemy as sa

from .database import Database
from .database import newest
from .users import Users

PRIVATE: t.Final = "private"
PUBLIC: t.Final = "public"


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """A repository, or the one that a first push would make.

    It is what a host's ``authorize`` function is asked about.
    """

    name: str
    """Its whole name, such as ``alice/tools/app``."""

    id: int | None = None
    """Its key, or None while nothing has been pushed to it."""

    owner_id: t.Any = None
    """The key of the user whose it is, or None when it is nobody's."""

    visibility: str = PRIVATE
    """``public`` or ``private``."""

    @property
    def exists(self) -> bool:
        """Whether anything has been pushed to it."""
        return self.id is not None

    @property
    def namespace(self) -> str:
        """The first component of its name."""
        return self.name.partition("/")[0]


class Repositories:
    """Finds, makes and lists repositories."""

    def __init__(self, database: Database, users: Users) -> None:
        self._db = database
        self._users = users

    def find(self, name: str) -> RepositoryInfo:
        """Return the repository of that name, whether it exists or not."""
        Repository = self._db.models.Repository
        row = self._db.session.execute(
            sa.select(
                Repository.name,
                Repository.id,
                Repository.owner_id,
                Repository.visibility,
            ).where(Repository.name == name)
        ).first()
        return RepositoryInfo(*row) if row else RepositoryInfo(name)

    def ensure(self, name: str, pusher_id: t.Any) -> int:
        """Make the repository if it is not there, within a transaction.

        It belongs to the user whose namespace it is in, or, where the
        namespace is nobody's, to who pushes.

        :return: its key.
        """
        Repository = self._db.models.Repository
        found = sa.select(Repository.id).where(Repository.name == name)
        key = self._db.session.scalar(found)
        if key is None:
            owner_id = self._users.owner_of_namespace(name.partition("/")[0])
            self._db.insert_if_absent(
                Repository,
                name=name,
                owner_id=pusher_id if owner_id is None else owner_id,
            )
            key = self._db.session.scalar(newest(found))
        return t.cast(int, key)

    def page(
        self, limit: int, last: str | None, viewer_id: t.Any, everyones: bool
    ) -> list[RepositoryInfo]:
        """List repositories that hold a manifest, by name.

        :param limit: how many to return at the most.
        :param last: the name to begin behind.
        :param viewer_id: the user for whom private ones are listed.
        :param everyones: whether to list every private one; the caller then
            asks about each.
        """
        Repository = self._db.models.Repository
        Manifest = self._db.models.Manifest
        statement = (
            sa.select(
                Repository.name,
                Repository.id,
                Repository.owner_id,
                Repository.visibility,
            )
            .where(sa.exists().where(Manifest.repository_id == Repository.id))
            .order_by(Repository.name)
            .limit(limit)
        )
        if last is not None:
            statement = statement.where(Repository.name > last)
        if not everyones:
            readable = Repository.visibility == PUBLIC
            if viewer_id is not None:
                readable = sa.or_(readable, Repository.owner_id == viewer_id)
            statement = statement.where(readable)
        return [RepositoryInfo(*row) for row in self._db.session.execute(statement)]
