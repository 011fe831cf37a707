"""Leases of fetches: one process at a time fetches some content of an upstream."""

from __future__ import annotations

import hashlib
import typing as t
import uuid

import sqlalchemy as sa

from .database import Database
from .database_clock import database_time

#: How long the lease of a killed process is kept, in seconds.
LEASE_LIFETIME: t.Final = 3600


class FetchLeases:
    """Takes, renews and ends leases.

    A lease names a repository and a reference, which is a tag or a digest. It ends by
    itself after some seconds, because its process may have been killed.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def take(self, name: str, reference: str, seconds: int) -> str | None:
        """Lease the fetch of some content for this process.

        :param name: the name of the repository.
        :param reference: a tag or a digest.
        :param seconds: the time after which another process may take the fetch over.
        :return: the lease, or None if another process has it.
        """
        table = self._db.models.UpstreamFetch.__table__
        key, mine = fetch_key(name, reference), str(uuid.uuid4())

        def work() -> bool:
            now = self._now()
            values = {"lease": mine, "leased_until": now + seconds}
            taken = self._db.change(
                sa.update(table)
                .where(table.c.key == key, table.c.leased_until < now)
                .values(**values)
            )
            if taken:
                return True
            self._db.insert_if_absent(self._db.models.UpstreamFetch, key=key, **values)
            found = self._db.execute(
                sa.select(table.c.lease).where(table.c.key == key).with_for_update()
            )
            return bool(found.scalar() == mine)

        return mine if self._db.write(work) else None

    def renew(self, name: str, reference: str, lease: str, seconds: int) -> None:
        """Prolong a lease, unless another process has taken it over."""
        table = self._db.models.UpstreamFetch.__table__

        def work() -> None:
            self._db.execute(
                sa.update(table)
                .where(
                    table.c.key == fetch_key(name, reference), table.c.lease == lease
                )
                .values(leased_until=self._now() + seconds)
            )

        self._db.record(work)

    def end(self, name: str, reference: str, lease: str) -> None:
        """End a lease."""
        table = self._db.models.UpstreamFetch.__table__
        deleting = sa.delete(table).where(
            table.c.key == fetch_key(name, reference), table.c.lease == lease
        )
        self._db.record(lambda: self._db.execute(deleting))

    def current(self, name: str, reference: str) -> str | None:
        """Return the lease of a fetch that runs, or None."""
        table = self._db.models.UpstreamFetch.__table__
        row = self._db.execute(
            sa.select(table.c.lease, table.c.leased_until).where(
                table.c.key == fetch_key(name, reference)
            )
        ).first()
        if row is None or row[1] < self._now():
            return None
        return str(row[0])

    def delete_abandoned(self) -> None:
        """Delete the leases of killed processes, within a transaction."""
        table = self._db.models.UpstreamFetch.__table__
        is_abandoned = table.c.leased_until < self._now() - LEASE_LIFETIME
        self._db.execute(sa.delete(table).where(is_abandoned))

    def _now(self) -> int:
        """Return the time of the database in seconds since 1970."""
        return int(database_time(self._db).timestamp())


def fetch_key(name: str, reference: str) -> str:
    """Return the key of the fetch of some content of a repository."""
    return hashlib.sha256(f"{name} {reference}".encode()).hexdigest()
