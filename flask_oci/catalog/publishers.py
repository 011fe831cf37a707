"""Trusted publishers, and the identity tokens that were used."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .database import newest

if t.TYPE_CHECKING:
    from .credentials import Credential
    from .credentials import Credentials
    from .database import Database

#: How long a used token is remembered after its expiry: the clocks of nodes differ.
_KEPT: t.Final = timedelta(minutes=5)

#: How many uses are deleted in one transaction.
BATCH_SIZE: t.Final = 500


@dataclass(frozen=True, slots=True)
class Publisher:
    """A workflow of an issuer that may log in as a robot."""

    id: str
    robot_id: str
    issuer: str
    """The exact text of the claim ``iss`` of its tokens."""

    kind: str
    """The kind of the issuer, such as ``github``."""

    fields: dict[str, str]
    """The values that the claims of its tokens must have."""

    pin: str
    created_by: str | None
    created_at: datetime
    last_used_at: datetime | None = None
    last_job: str | None = None
    """The job that logged in last."""


class IdentityUse(t.NamedTuple):
    """The use of an identity token."""

    key: str
    token_hash: str
    address: str | None
    """The network of the client that may use it again, or None."""

    expires_at: datetime


class StoredUse(t.NamedTuple):
    """A recorded use of an identity token."""

    token_hash: str
    address: str | None
    publisher_id: str
    credential_id: str


class PublisherGone(Exception):
    """The publisher was removed meanwhile."""


class AlreadyUsed(Exception):
    """The identity token was used before."""


class PublisherRecords:
    """Records, finds and removes publishers, and the uses of identity tokens."""

    def __init__(self, database: Database, credentials: Credentials) -> None:
        self._db = database
        self._credentials = credentials

    def add(self, publisher: Publisher, *, by: t.Any = None) -> bool:
        """Record a publisher.

        :param by: the key of the user who adds it, or None.
        :return: False if its robot does not exist any more.
        """
        robots = self._db.models.Robot.__table__

        def work() -> bool:
            locking = sa.select(robots.c.id).where(robots.c.id == publisher.robot_id)
            if self._db.execute(locking.with_for_update()).first() is None:
                return False
            values = {name: getattr(publisher, name) for name in _FIELDS}
            self._db.execute(sa.insert(self._table).values(**values))
            return True

        return self._db.write(work, by=by)

    def of_robot(self, robot_id: str) -> list[Publisher]:
        """Return the publishers of a robot, the newest first."""
        return self._list(self._table.c.robot_id == robot_id)

    def by_pin(self, pin: str, limit: int) -> list[Publisher]:
        """Return publishers with a pin, the newest first.

        :param limit: the maximum number of publishers.
        """
        return self._list(self._table.c.pin == pin, limit)

    def issuers(self) -> list[str]:
        """Return the addresses of the issuers that publishers name."""
        issuer = self._table.c.issuer
        return list(self._db.execute(sa.select(issuer).distinct()).scalars())

    def remove(self, publisher_id: str) -> bool:
        """Remove a publisher, and the credentials of the jobs that it logged in.

        :return: False if there is no such publisher.
        """

        def work() -> bool:
            if not self._lock(publisher_id):
                return False
            uses = self._uses
            used = sa.select(uses.c.credential_id).where(
                uses.c.publisher_id == publisher_id
            )
            keys = list(self._db.execute(used).scalars())
            for start in range(0, len(keys), BATCH_SIZE):
                self._credentials.delete_rows(keys[start : start + BATCH_SIZE])
            self._db.change(
                sa.delete(self._table).where(self._table.c.id == publisher_id)
            )
            return True

        return self._db.write(work)

    def log_in(
        self,
        publisher: Publisher,
        use: IdentityUse,
        credential: Credential,
        hash: str,
        job: str,
    ) -> None:
        """Record the use of an identity token and the credential that its job gets.

        :param hash: the hash of the credential's secret.
        :param job: the text that names the job.
        :raises AlreadyUsed: if the token was used before.
        :raises PublisherGone: if the publisher was removed meanwhile.
        """

        def work() -> None:
            if not self._lock(publisher.id):
                raise PublisherGone
            values = {**use._asdict(), "publisher_id": publisher.id}
            values["credential_id"] = credential.id
            self._db.insert_if_absent(self._db.models.IdentityUse, **values)
            found = self._db.execute(newest(self._use(use.key))).first()
            if found is None or found.credential_id != credential.id:
                raise AlreadyUsed
            self._credentials.insert(credential, hash)
            self._db.execute(
                sa.update(self._table)
                .where(self._table.c.id == publisher.id)
                .values(last_used_at=utcnow(), last_job=job)
            )

        self._db.write(work)

    def use_of(self, key: str) -> StoredUse | None:
        """Return the recorded use of an identity token, or None."""
        row = self._db.execute(self._use(key)).first()
        return None if row is None else StoredUse(*row)

    def spend(self, credential_id: str) -> None:
        """Let no client use the identity token again that a credential was issued
        for."""
        uses = self._uses
        used = uses.c.credential_id == credential_id
        statement = sa.update(uses).where(used).values(address=None)
        self._db.write(lambda: self._db.change(statement))

    def prune_uses(self) -> int:
        """Delete the uses of identity tokens that have expired.

        :return: the number of uses deleted.
        """
        uses = self._uses
        old = (
            sa.select(uses.c.key)
            .where(uses.c.expires_at <= utcnow() - _KEPT)
            .order_by(uses.c.key)
            .limit(BATCH_SIZE)
        )
        count = 0
        while keys := list(self._db.execute(old).scalars()):
            count += self._delete_uses(keys)
        self._db.release()
        return count

    def _delete_uses(self, keys: list[str]) -> int:
        statement = sa.delete(self._uses).where(self._uses.c.key.in_(keys))
        return self._db.write(lambda: self._db.change(statement))

    def _lock(self, publisher_id: str) -> bool:
        columns = self._table.c
        locking = sa.select(columns.id).where(columns.id == publisher_id)
        return self._db.execute(locking.with_for_update()).first() is not None

    def _use(self, key: str) -> sa.Select[t.Any]:
        columns = self._uses.c
        return sa.select(*(columns[name] for name in StoredUse._fields)).where(
            columns.key == key
        )

    def _list(self, condition: t.Any, limit: int | None = None) -> list[Publisher]:
        columns = self._table.c
        statement = self._select().where(condition).limit(limit)
        ordered = statement.order_by(columns.created_at.desc(), columns.id)
        return [_publisher(row) for row in self._db.execute(ordered)]

    def _select(self) -> sa.Select[t.Any]:
        return sa.select(*(self._table.c[name] for name in _FIELDS))

    @property
    def _table(self) -> sa.Table:
        return self._db.models.Publisher.__table__

    @property
    def _uses(self) -> sa.Table:
        return self._db.models.IdentityUse.__table__


_FIELDS: t.Final = tuple(Publisher.__dataclass_fields__)


def _publisher(row: t.Any) -> Publisher:
    fields = row._asdict()
    for moment in ("created_at", "last_used_at"):
        if fields[moment] is not None:
            fields[moment] = as_utc(fields[moment])
    return Publisher(**fields)
