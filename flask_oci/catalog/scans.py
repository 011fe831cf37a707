"""Scans: claims of images that a scanner has to read, with a lease.

A process that died leaves a lease that expires, and another process scans the image.
All leases use the clock of the database.
"""

from __future__ import annotations

import typing as t
import uuid
from collections.abc import Collection
from datetime import datetime
from datetime import timedelta

import sqlalchemy as sa

from ..clock import as_utc
from ..spec.manifest import MANIFEST_TYPES
from .database import Condition
from .database import Database
from .database_clock import database_time

#: The number of images that one search for work returns.
BATCH_SIZE: t.Final = 20

#: The maximum length of a stored failure, in characters.
MAX_FAILURE: t.Final = 1000


class ScanTask(t.NamedTuple):
    """An image that a process has claimed."""

    repository_id: int
    repository: str
    digest: str
    media_type: str
    size: int
    lease: str


class Scans:
    """Claims images, and records their scans."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def claim(
        self,
        length: timedelta,
        *,
        rescan: timedelta,
        retry: timedelta,
        names: Collection[str] | None,
        skip: Collection[tuple[int, str]],
    ) -> ScanTask | None:
        """Claim an image that has to be scanned, the newest first.

        :param length: how long the claim lasts.
        :param rescan: the age of a scan from which it is repeated.
        :param retry: the time before a failed scan is repeated.
        :param names: the names of the repositories; None is all of them.
        :param skip: the images that this process has claimed before.
        """
        now = database_time(self._db)
        self._db.release()
        tried: set[tuple[int, str]] = {*skip}
        after: int | None = None
        while rows := self._due(now - rescan, now - retry, now, names, after):
            for key, repository_id, name, digest, media_type, size in rows:
                after = key
                if (repository_id, digest) in tried:
                    continue
                lease = self._lease(repository_id, digest, length)
                if lease is not None:
                    return ScanTask(
                        repository_id, name, digest, media_type, size, lease
                    )
        return None

    def record(self, task: ScanTask, failure: str | None = None) -> bool:
        """Record the end of a scan, and end its claim.

        :param failure: why it failed, or None if its results were attached.
        :return: False if another process has claimed the image meanwhile.
        """
        table = self._db.models.Scan.__table__

        def work() -> int:
            self._db.lock_repository(task.repository_id, changes=False)
            now = database_time(self._db)
            values: dict[str, t.Any] = {"lease": None, "leased_until": None}
            if failure is None:
                values |= {"scanned_at": now, "failed_at": None, "failure": None}
            else:
                values |= {"failed_at": now, "failure": failure[:MAX_FAILURE]}
            return self._db.change(
                sa.update(table)
                .where(
                    table.c.repository_id == task.repository_id,
                    table.c.digest == task.digest,
                    table.c.lease == task.lease,
                )
                .values(**values)
            )

        return bool(self._db.write(work))

    def prune(self) -> int:
        """Delete the scans of images that do not exist any more.

        :return: the number of deleted rows.
        """
        scans, manifest = self._db.models.Scan.__table__, self._manifest
        exists = sa.exists().where(
            manifest.c.repository_id == scans.c.repository_id,
            manifest.c.digest == scans.c.digest,
        )
        statement = sa.delete(scans).where(sa.not_(exists))
        return self._db.write(lambda: self._db.change(statement))

    def _lease(self, repository_id: int, digest: str, length: timedelta) -> str | None:
        """Claim an image, unless another process has."""
        Scan, lease = self._db.models.Scan, str(uuid.uuid4())
        columns = Scan.__table__.c
        mine = sa.and_(columns.repository_id == repository_id, columns.digest == digest)

        def work() -> str | None:
            if self._db.lock_repository(repository_id, changes=False) is None:
                return None
            self._db.insert_if_absent(Scan, repository_id=repository_id, digest=digest)
            locked = sa.select(columns.leased_until).where(mine).with_for_update()
            until = self._db.execute(locked).scalar()
            now = database_time(self._db)
            if until is not None and as_utc(until) > now:
                return None
            values = {"lease": lease, "leased_until": now + length}
            self._db.change(sa.update(Scan.__table__).where(mine).values(**values))
            return lease

        return self._db.write(work)

    def _due(
        self,
        scanned_before: datetime,
        failed_before: datetime,
        now: datetime,
        names: Collection[str] | None,
        after: int | None,
    ) -> list[t.Any]:
        """Return images of users that have to be scanned, the newest first."""
        manifest, repository = self._manifest, self._db.models.Repository.__table__
        scan = self._db.models.Scan.__table__
        statement = (
            sa.select(
                manifest.c.id,
                manifest.c.repository_id,
                repository.c.name,
                manifest.c.digest,
                manifest.c.media_type,
                manifest.c.size,
            )
            .join(repository, repository.c.id == manifest.c.repository_id)
            .outerjoin(
                scan,
                sa.and_(
                    scan.c.repository_id == manifest.c.repository_id,
                    scan.c.digest == manifest.c.digest,
                ),
            )
            .where(
                manifest.c.kind == "image",
                manifest.c.media_type.in_(sorted(MANIFEST_TYPES)),
                repository.c.upstream.is_(None),
                sa.or_(scan.c.leased_until.is_(None), scan.c.leased_until <= now),
                sa.or_(scan.c.scanned_at.is_(None), scan.c.scanned_at < scanned_before),
                sa.or_(scan.c.failed_at.is_(None), scan.c.failed_at < failed_before),
                self._is_used(),
            )
            .order_by(manifest.c.id.desc())
            .limit(BATCH_SIZE)
        )
        if names is not None:
            statement = statement.where(repository.c.name.in_(names))
        if after is not None:
            statement = statement.where(manifest.c.id < after)
        rows = list(self._db.execute(statement))
        self._db.release()
        return rows

    def _is_used(self) -> Condition:
        """Return the condition that a manifest has a tag, or is in an index."""
        tag = self._db.models.Tag.__table__.c
        reference = self._db.models.ManifestReference.__table__.c
        return sa.or_(
            sa.exists().where(tag.manifest_id == self._manifest.c.id),
            sa.exists().where(
                reference.digest == self._manifest.c.digest, reference.kind == "child"
            ),
        )

    @property
    def _manifest(self) -> sa.Table:
        return self._db.models.Manifest.__table__
