"""Pull counts of repositories, and last pull times of manifests."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa

from .database import Database


class Pulls:
    """Records pulls in batches, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(
        self, counts: Mapping[int, int], moments: Mapping[tuple[int, str], datetime]
    ) -> None:
        """Record pulls of manifests.

        :param counts: the number of pulls, by the key of the repository.
        :param moments: the time of the last pull, by the key of the repository and the
            digest of the manifest.
        """
        # Other transactions that change manifests lock the repository first. Updating
        # the repositories in the order of their keys avoids deadlocks.
        pulled = [{"key": key, "count": counts[key]} for key in sorted(counts)]
        last = [
            {"repository": key, "wanted": digest, "moment": moment}
            for (key, digest), moment in sorted(moments.items())
        ]

        def work() -> None:
            if pulled:
                self._db.session.execute(self._counting, pulled)
            if last:
                self._db.session.execute(self._dating, last)

        self._db.write(work)

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
