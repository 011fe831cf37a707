"""Queries that return repositories, by name, by key and by path."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..errors import NameUnknown
from .database import Database
from .repository_conditions import RepositoryConditions
from .repository_info import RepositoryInfo
from .repository_statements import RepositoryStatements


class RepositoryQueries(RepositoryConditions):
    """Finds repositories, and locks none of them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._statements = RepositoryStatements(database.models)

    def get(self, name: str) -> RepositoryInfo:
        """Return the repository of a name.

        :raises NameUnknown: if it does not exist.
        """
        repository = self.find(name)
        if not repository.exists:
            raise NameUnknown(detail=name)
        return repository

    def find(self, name: str, *, by_old_name: bool = False) -> RepositoryInfo:
        """Return the repository of a name, which need not exist.

        :param by_old_name: whether to find it by a former name as well.
        """
        known = self._statements
        statement = known.by_any_name if by_old_name else known.by_name
        rows = self._db.reads.rows(statement, {"name": name})
        return RepositoryInfo(*rows[0]) if rows else RepositoryInfo(name)

    def by_id(self, repository_id: int) -> RepositoryInfo | None:
        """Return the repository with a key, whatever its name is now, or None."""
        columns = self._db.models.Repository.__table__.c
        statement = self._statements.select().where(columns.id == repository_id)
        row = self._db.execute(statement).first()
        return None if row is None else RepositoryInfo(*row)

    def all_below(self, path: str) -> list[RepositoryInfo]:
        """Return the repositories that :meth:`path_filter` selects, ordered by name."""
        rows = self._db.session.execute(
            self._statements.select()
            .where(self.path_filter(path))
            .order_by(self._db.models.Repository.name)
        )
        return [RepositoryInfo(*row) for row in rows]

    def has_others_below(self, path: str, user_id: t.Any) -> bool:
        """Return True if another user, or no user, owns one of the repositories that
        :meth:`path_filter` selects."""
        Repository = self._db.models.Repository
        owner_id = Repository.owner_id
        statement = (
            sa.select(Repository.id)
            .where(
                self.path_filter(path),
                sa.or_(owner_id.is_(None), owner_id != user_id),
            )
            .limit(1)
        )
        return self._db.session.execute(statement).first() is not None
