"""Pulls and sizes of repositories, and last pull times of manifests."""

from __future__ import annotations

import typing as t
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import date
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa

from ..clock import utcnow
from . import insert_statements
from .database import Database
from .recent_pushes import RecentPushes
from .repository_days import oldest_kept

#: How many repositories one statement covers.
CHUNK: t.Final = 500

_KEY: t.Final = ("repository_id", "day")


class Pulls:
    """Records pulls, and the sizes of repositories after pushes, in batches.

    :param recent_pushes: the repositories whose sizes have to be recorded.
    """

    def __init__(self, database: Database, recent_pushes: RecentPushes) -> None:
        self._db = database
        self.recent_pushes = recent_pushes

    def record(
        self,
        counts: Mapping[tuple[int, date], int],
        moments: Mapping[tuple[int, str], datetime],
        pushed: Collection[int] = (),
    ) -> None:
        """Record pulls of manifests, and measure repositories, in one transaction.

        :param counts: the number of pulls, by the key of the repository and the day.
        :param moments: the time of the last pull, by the key of the repository and the
            digest of the manifest.
        :param pushed: the keys of the repositories to measure.
        """
        totals = dict.fromkeys(pushed, 0)
        for (key, _), count in counts.items():
            totals[key] = totals.get(key, 0) + count
        # Other transactions that change manifests lock the repository first. Updating
        # the repositories in the order of their keys avoids deadlocks.
        pulled = [{"key": key, "count": totals[key]} for key in sorted(totals)]
        last = [
            {"repository": key, "wanted": digest, "moment": moment}
            for (key, digest), moment in sorted(moments.items())
        ]

        def work() -> None:
            if pulled:
                self._db.session.execute(self._counting, pulled)
            for chunk in _chunks(sorted(totals)):
                self._record_days(chunk, counts, set(pushed))
            if last:
                self._db.session.execute(self._dating, last)

        self._db.write(work)

    def measure(self, repository_id: int) -> None:
        """Record the size of a repository, if it has changed."""
        table = self._db.models.Repository.__table__
        known = self._db.execute(
            sa.select(table.c.stored_bytes).where(table.c.id == repository_id)
        ).scalar()
        if known != self._sizes([repository_id]).get(repository_id, 0):
            self.record({}, {}, [repository_id])

    def _record_days(
        self,
        repository_ids: Sequence[int],
        counts: Mapping[tuple[int, date], int],
        pushed: Collection[int],
    ) -> None:
        """Record the days of some repositories, whose rows are locked."""
        repositories = self._db.models.Repository.__table__
        table = self._db.models.RepositoryDay.__table__
        # A repository may have been deleted since.
        existing = set(
            self._db.execute(
                sa.select(repositories.c.id).where(
                    repositories.c.id.in_(repository_ids)
                )
            ).scalars()
        )
        pulls = [
            {"repository_id": key, "day": day, "pulls": count}
            for (key, day), count in sorted(counts.items())
            if key in existing and count
        ]
        if pulls:
            self._db.execute(
                insert_statements.increment(self._db.dialect, table, _KEY, "pulls"),
                pulls,
            )
        if measured := sorted(existing & set(pushed)):
            self._record_sizes(measured)
        old = table.c.repository_id.in_(repository_ids), table.c.day < oldest_kept()
        self._db.execute(sa.delete(table).where(*old))

    def _record_sizes(self, repository_ids: Sequence[int]) -> None:
        sizes, today = self._sizes(repository_ids), utcnow().date()
        repositories = self._db.models.Repository.__table__
        size: sa.BindParameter[int] = sa.bindparam("size")
        self._db.execute(
            sa.update(repositories)
            .where(repositories.c.id == sa.bindparam("key"))
            .values(stored_bytes=size),
            [{"key": key, "size": sizes.get(key, 0)} for key in repository_ids],
        )
        table = self._db.models.RepositoryDay.__table__
        self._db.execute(
            insert_statements.upsert(self._db.dialect, table, _KEY, ("bytes",)),
            [
                {"repository_id": key, "day": today, "bytes": sizes.get(key, 0)}
                for key in repository_ids
            ],
        )

    def _sizes(self, repository_ids: Sequence[int]) -> dict[int, int]:
        """Return the sizes of repositories that have blobs, by their keys."""
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        rows = self._db.session.execute(
            sa.select(Link.repository_id, sa.func.sum(Blob.size))
            .join(Blob, Blob.id == Link.blob_id)
            .where(Link.repository_id.in_(repository_ids))
            .group_by(Link.repository_id)
        )
        # MariaDB returns the sum of integers as a decimal.
        return {key: int(size) for key, size in rows}

    @cached_property
    def _counting(self) -> sa.Update:
        table = self._db.models.Repository.__table__
        more: sa.BindParameter[int] = sa.bindparam("count")
        return (
            sa.update(table)
            .where(table.c.id == sa.bindparam("key"))
            .values(pull_count=table.c.pull_count + more)
        )

    @cached_property
    def _dating(self) -> sa.Update:
        table = self._db.models.Manifest.__table__
        moment: sa.BindParameter[t.Any] = sa.bindparam(
            "moment", type_=table.c.pulled_at.type
        )
        return (
            sa.update(table)
            .where(
                table.c.repository_id == sa.bindparam("repository"),
                table.c.digest == sa.bindparam("wanted"),
                sa.or_(table.c.pulled_at.is_(None), table.c.pulled_at < moment),
            )
            .values(pulled_at=moment)
        )


def _chunks(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]
