"""Access tokens and refresh tokens: hashes, limits and last use."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from functools import cached_property

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from ..errors import UserDeleted
from .database import Database
from .revocations import Revocations

#: The minimum time between two updates of a credential's last use.
TOUCHED_EVERY: t.Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Credential:
    """The record of an access token or a refresh token."""

    id: str
    kind: str
    subject: str
    user_id: t.Any
    name: str
    actions: tuple[str, ...]
    repositories: tuple[str, ...]
    validator: str | None
    about: str | None
    """The context for the validator; for a refresh token, the name of the user when it
    was issued."""

    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    parent_id: str | None = None
    """The credential that was used to get this one. Revoking it revokes this one."""

    robot_id: str | None = None
    """The key of the robot whose secret it is, or None for a token of a user. The limit
    is then that of the robot."""


class TokenHolder(t.NamedTuple):
    """A user who has tokens."""

    user_id: t.Any
    access: int
    """The number of access tokens."""

    refresh: int
    """The number of refresh tokens, which clients store."""

    last_used_at: datetime | None
    """When one of them was last used."""


class Credentials:
    """Records, finds and revokes credentials."""

    def __init__(self, database: Database, revocations: Revocations) -> None:
        self._db = database
        self._revocations = revocations

    def add(self, credential: Credential, hash: str) -> None:
        """Record a new credential.

        :param hash: the hash of its secret.
        """
        columns = self._table.c

        def work() -> None:
            # Clients get a refresh token at each login and discard most of them.
            self._db.session.execute(
                sa.delete(self._table).where(
                    columns.user_id == credential.user_id,
                    columns.robot_id == credential.robot_id,
                    columns.kind == "refresh",
                    columns.expires_at <= utcnow(),
                )
            )
            self.insert(credential, hash)

        self._db.write(work, by=credential.user_id)

    def insert(self, credential: Credential, hash: str) -> None:
        """Insert a credential in the current transaction.

        :param hash: the hash of its secret.
        """
        values = values_of(credential, hash)
        self._db.execute(sa.insert(self._table).values(values))

    def delete_rows(self, ids: t.Collection[str]) -> None:
        """Delete credentials, and those that were issued for them, in the current
        transaction."""
        columns = self._table.c
        # SQLite cascades only if the host enables foreign keys per connection.
        self._db.execute(sa.delete(self._table).where(columns.parent_id.in_(ids)))
        self._db.execute(sa.delete(self._table).where(columns.id.in_(ids)))

    def by_hash(self, hash: str) -> Credential | None:
        """Return the credential whose secret has this hash, or None."""
        return self._one(self._by_hash, hash)

    def by_id(self, credential_id: str) -> Credential | None:
        """Return a credential, or None if it has been revoked."""
        return self._one(self._by_id, credential_id)

    def of(self, user_id: t.Any) -> list[Credential]:
        """Return the credentials of a user: access tokens first, each kind with the
        newest first."""
        columns = self._table.c
        rows = self._db.session.execute(
            self._select()
            .where(columns.user_id == user_id, columns.robot_id.is_(None))
            # "access" precedes "refresh".
            .order_by(columns.kind, columns.created_at.desc(), columns.id)
        )
        return [_credential(row) for row in rows]

    def page(
        self,
        user_id: t.Any,
        limit: int,
        behind: tuple[str, datetime] | None = None,
        kind: str | None = None,
    ) -> list[Credential]:
        """Return some of a user's credentials, the newest first.

        :param limit: the maximum number of results.
        :param behind: the id and the creation time of the last one of the previous
            page.
        :param kind: return only ``access`` or only ``refresh`` tokens; None is all.
        """
        made, key = self._table.c.created_at, self._table.c.id
        columns = self._table.c
        own = sa.and_(columns.user_id == user_id, columns.robot_id.is_(None))
        statement = self._select().where(own)
        if kind is not None:
            statement = statement.where(self._table.c.kind == kind)
        if behind is not None:
            same = sa.and_(made == behind[1], key > behind[0])
            statement = statement.where(sa.or_(made < behind[1], same))
        rows = self._db.session.execute(
            statement.order_by(made.desc(), key).limit(limit)
        )
        return [_credential(row) for row in rows]

    def of_robot(self, robot_id: str) -> list[Credential]:
        """Return the secrets of a robot, the newest first."""
        columns = self._table.c
        rows = self._db.execute(
            self._select()
            .where(columns.robot_id == robot_id)
            .order_by(columns.created_at.desc(), columns.id)
        )
        return [_credential(row) for row in rows]

    def add_to_robot(
        self, credential: Credential, hash: str, *, valid: int, until: datetime
    ) -> None:
        """Record a new secret of a robot.

        :param valid: the number of secrets of this kind that may be valid at once. The
            oldest of the others are deleted.
        :param until: the others expire at this time at the latest.
        """
        columns = self._table.c
        robots = self._db.models.Robot.__table__.c
        same = sa.and_(
            columns.robot_id == credential.robot_id, columns.kind == credential.kind
        )

        def work() -> None:
            locking = sa.select(robots.id).where(robots.id == credential.robot_id)
            if self._db.execute(locking.with_for_update()).first() is None:
                raise UserDeleted
            ended = columns.expires_at <= utcnow()
            self._db.execute(sa.delete(self._table).where(same, ended))
            keys = sa.select(columns.id).where(same).order_by(columns.created_at.desc())
            old = list(self._db.execute(keys).scalars())[valid - 1 :]
            self._db.execute(sa.delete(self._table).where(columns.id.in_(old)))
            ending = sa.or_(columns.expires_at.is_(None), columns.expires_at > until)
            self._db.execute(
                sa.update(self._table).where(same, ending).values(expires_at=until)
            )
            self.insert(credential, hash)

        self._db.write(work)

    def holders(self, limit: int, offset: int) -> list[TokenHolder]:
        """Return users who have tokens, those who used one last first.

        :param limit: the maximum number of results.
        :param offset: the number of results to leave out.
        """
        columns = self._table.c
        is_access = sa.case((columns.kind == "access", 1), else_=0)
        used = sa.func.max(columns.last_used_at)
        rows = self._db.session.execute(
            sa.select(
                columns.user_id,
                sa.func.sum(is_access),
                sa.func.count() - sa.func.sum(is_access),
                used,
            )
            .where(columns.robot_id.is_(None))
            .group_by(columns.user_id)
            # NULL comes first on some databases, and last on others.
            .order_by(sa.case((used.is_(None), 1), else_=0), used.desc())
            .order_by(columns.user_id)
            .limit(limit)
            .offset(offset)
        )
        return [
            TokenHolder(key, int(access), int(rest), as_utc(last) if last else None)
            for key, access, rest, last in rows
        ]

    def touch(self, credential: Credential, expires_at: datetime | None) -> None:
        """Record the current use of a credential, and its new expiry."""
        now = utcnow()
        if credential.last_used_at and now - credential.last_used_at < TOUCHED_EVERY:
            return
        self._db.record(
            lambda: self._db.session.execute(
                sa.update(self._table)
                .where(self._table.c.id == credential.id)
                .values(last_used_at=now, expires_at=expires_at)
            )
        )

    def revoke(self, credential_id: str) -> bool:
        """Revoke a credential and the credentials issued with it.

        :return: True if it existed.
        """

        def work() -> bool:
            columns = self._table.c
            owner = sa.select(columns.user_id).where(columns.id == credential_id)
            self._db.lock_users([self._db.execute(owner).scalar()])
            # SQLite cascades only if the host enables foreign keys per connection.
            for key in reversed(self._issued_with(credential_id)):
                self._db.execute(sa.delete(self._table).where(columns.id == key))
            deleted = self._db.change(
                sa.delete(self._table).where(columns.id == credential_id)
            )
            return bool(deleted)

        return self._db.write(work)

    def _issued_with(self, credential_id: str) -> list[str]:
        """Return the credentials issued with a credential, directly or not, each after
        its parent."""
        columns = self._table.c
        found, parents = [], [credential_id]
        while parents:
            issued = sa.select(columns.id).where(columns.parent_id.in_(parents))
            parents = list(self._db.execute(issued).scalars())
            found += parents
        return found

    def revoke_all(self, user_id: t.Any, subject: str) -> int:
        """Revoke all credentials of a user, and the bearer tokens issued without one.

        :return: the number of credentials revoked.
        """

        def work() -> int:
            revoked = self._db.change(
                sa.delete(self._table).where(
                    self._table.c.user_id == user_id,
                    self._table.c.robot_id.is_(None),
                )
            )
            for statement in self._revocations.statements(subject):
                self._db.session.execute(statement)
            return revoked

        return self._db.write(work, by=user_id)

    @property
    def _table(self) -> sa.Table:
        return self._db.models.Credential.__table__

    def _select(self) -> sa.Select[t.Any]:
        return sa.select(*(self._table.c[field] for field in _FIELDS))

    @cached_property
    def _by_hash(self) -> sa.Select[t.Any]:
        return self._select().where(self._table.c.hash == sa.bindparam("wanted"))

    @cached_property
    def _by_id(self) -> sa.Select[t.Any]:
        return self._select().where(self._table.c.id == sa.bindparam("wanted"))

    def _one(self, statement: sa.Select[t.Any], wanted: str) -> Credential | None:
        rows = self._db.reads.rows(statement, {"wanted": wanted}, is_traced=True)
        return _credential(rows[0]) if rows else None


_FIELDS = tuple(Credential.__dataclass_fields__)


def values_of(credential: Credential, hash: str) -> dict[str, t.Any]:
    """Return the columns of a credential.

    :param hash: the hash of its secret.
    """
    return {"hash": hash, **{name: getattr(credential, name) for name in _FIELDS}}


def _credential(row: t.Any) -> Credential:
    fields = row._asdict()
    for moment in ("created_at", "expires_at", "last_used_at"):
        if fields[moment] is not None:
            fields[moment] = as_utc(fields[moment])
    for entries in ("actions", "repositories"):
        fields[entries] = tuple(fields[entries])
    return Credential(**fields)
