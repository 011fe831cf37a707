"""Trusted signers: setting them, and finding those of a repository."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from ..errors import NameUnknown
from ..rules.paths import paths_of
from .database import Condition
from .database import Database
from .path_conditions import below
from .path_conditions import path_applies

if t.TYPE_CHECKING:
    from .repository_info import RepositoryInfo


class SignerScope(t.NamedTuple):
    """The scope of a signer: a repository or a path."""

    repository_id: int | None = None
    path: str | None = None
    path_owner_id: t.Any = None
    """The owner of the repositories in the path; None is any owner."""


class StoredSigner(t.NamedTuple):
    """A trusted signer and its scope."""

    repository: str | None
    path: str | None
    name: str
    kind: str
    value: str
    issuer: str
    added_by: str | None
    added_at: datetime


class TrustedSigners:
    """Sets and deletes trusted signers, and finds those of a repository."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(
        self,
        scope: SignerScope,
        name: str,
        kind: str,
        value: str,
        issuer: str,
        by: str | None,
    ) -> None:
        """Set a signer, replacing the one with the same name and scope.

        :param by: the name of the user who makes the change.
        :raises NameUnknown: if the repository has been deleted.
        """
        values = {"kind": kind, "value": value, "issuer": issuer, "added_by": by}
        values["path_owner_id"] = scope.path_owner_id
        column = "path" if scope.repository_id is None else "repository_id"
        key = {column: getattr(scope, column), "name": name}

        def work() -> None:
            self._lock(scope)
            self._db.upsert(
                self._db.models.TrustedSigner, key, **values, added_at=utcnow()
            )

        self._db.write(work, by=scope.path_owner_id)

    def delete(self, scope: SignerScope, name: str) -> bool:
        """Delete a signer.

        :return: True if there was one.
        """
        table = self._db.models.TrustedSigner.__table__
        statement = sa.delete(table).where(table.c.name == name, _of(table, scope))

        def work() -> int:
            self._lock(scope)
            return self._db.change(statement)

        return bool(self._db.write(work))

    def of(self, scope: SignerScope | None = None) -> list[StoredSigner]:
        """Return the signers by name.

        :param scope: the only scope to consider; None considers all.
        """
        return self._select(None if scope is None else _of(self._table, scope))

    def applying(self, repository: RepositoryInfo) -> list[StoredSigner]:
        """Return the signers that a repository trusts: its own, and those of the paths
        that contain it."""
        columns, owner = self._table.c, sa.literal(repository.owner_id)
        of_path = sa.and_(
            columns.path.in_(paths_of(repository.name)),
            path_applies(self._table, owner),
        )
        return self._select(sa.or_(columns.repository_id == repository.key, of_path))

    def delete_below(self, path: str) -> int:
        """Delete the signers of a path and of the paths below it.

        :param path: the stored path.
        :return: the number of deleted signers.
        """
        statement = sa.delete(self._table).where(below(self._table.c.path, path))
        return int(self._db.write(lambda: self._db.change(statement)))

    def count_below(self, path: str, name: str, except_path: str) -> int:
        """Return the number of signers of a path and of the paths below it.

        :param path: the stored path.
        :param name: the name of a signer that is not counted.
        :param except_path: the stored path of that signer.
        """
        columns = self._table.c
        others = sa.or_(columns.path != except_path, columns.name != name)
        statement = sa.select(sa.func.count()).where(below(columns.path, path), others)
        return int(self._db.execute(statement).scalar() or 0)

    def any(self) -> bool:
        """Return True if there is a signer."""
        statement = sa.select(sa.exists(sa.select(self._table.c.id)))
        return bool(self._db.execute(statement).scalar())

    def _select(self, condition: Condition | None) -> list[StoredSigner]:
        columns, repository = self._table.c, self._db.models.Repository.__table__
        statement = (
            sa.select(
                repository.c.name,
                columns.path,
                columns.name,
                columns.kind,
                columns.value,
                columns.issuer,
                columns.added_by,
                columns.added_at,
            )
            .select_from(self._table)
            .join(repository, repository.c.id == columns.repository_id, isouter=True)
            .order_by(columns.path, repository.c.name, columns.name)
        )
        if condition is not None:
            statement = statement.where(condition)
        rows = self._db.execute(statement)
        return [
            StoredSigner(r[0], r[1], r[2], r[3], r[4], r[5], r[6], as_utc(r[7]))
            for r in rows
        ]

    @property
    def _table(self) -> sa.Table:
        return self._db.models.TrustedSigner.__table__

    def _lock(self, scope: SignerScope) -> None:
        """Lock the repository of a scope, before its signers."""
        key = scope.repository_id
        if key is not None and self._db.lock_repository(key, changes=False) is None:
            raise NameUnknown


def _of(table: sa.Table, scope: SignerScope) -> Condition:
    if scope.repository_id is not None:
        return table.c.repository_id == scope.repository_id
    condition: Condition = table.c.path == scope.path
    if scope.path_owner_id is None:
        return condition
    return sa.and_(condition, path_applies(table, sa.literal(scope.path_owner_id)))
