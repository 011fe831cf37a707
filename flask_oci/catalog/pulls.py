"""When manifests were last pulled, and how often repositories were."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa

from .database import Database


class Pulls:
    """Writes down pulls, many at once, in a transaction of their own."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(
        self, counts: Mapping[int, int], moments: Mapping[tuple[int, str], datetime]
    ) -> None:
        """Remember that manifests were pulled.

        :param counts: how many pulls there were, by the key of the repository.
        :param moments: when a manifest was last pulled, by the key of its repository
            and its digest.
        """
        # Whatever else changes manifests has their repository to itself first. Those
        # who wait for each other's repositories have to do so in one order.
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
