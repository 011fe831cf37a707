"""Deletion of records that have expired: tag moves and credentials."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import utcnow
from .database import Database

#: How many rows are deleted in one transaction.
BATCH_SIZE: t.Final = 500


class ExpiredRecords:
    """Deletes tag moves and credentials that have expired, a batch at a time."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def prune_moves(
        self,
        repository_id: int,
        before: datetime,
        restorable_since: datetime,
        most: int,
    ) -> int:
        """Delete old moves of a repository's tags.

        :param before: delete the moves from before this moment.
        :param restorable_since: keep the moves since then, because they can be undone.
        :param most: keep at most this number of older moves.
        :return: the number of moves deleted.
        """
        Move = self._db.models.TagMove
        last_kept = (
            sa.select(Move.id)
            .where(Move.repository_id == repository_id)
            .order_by(Move.id.desc())
            .offset(most)
            .limit(1)
        )
        limit = self._db.execute(last_kept).scalar() or 0
        old = (
            sa.select(Move.id)
            .where(
                Move.repository_id == repository_id,
                Move.moved_at < restorable_since,
                sa.or_(Move.moved_at < before, Move.id <= limit),
            )
            .order_by(Move.id)
            .limit(BATCH_SIZE)
        )

        def work() -> int:
            self._db.lock_repository(repository_id, changes=False)
            keys = list(self._db.execute(old).scalars())
            return self._db.change(sa.delete(Move.__table__).where(Move.id.in_(keys)))

        return self._all(work, old)

    def prune_credentials(self) -> int:
        """Delete the access and refresh tokens that have expired.

        :return: the number of tokens deleted.
        """
        columns = self._db.models.Credential.__table__.c
        old = (
            sa.select(columns.id)
            .where(columns.expires_at <= utcnow())
            .order_by(columns.id)
            .limit(BATCH_SIZE)
        )

        def work() -> int:
            keys = list(self._db.execute(old).scalars())
            users = sa.select(columns.user_id).where(columns.id.in_(keys))
            self._db.lock_users(self._db.execute(users).scalars())
            table = self._db.models.Credential.__table__
            # SQLite cascades only if the host enables foreign keys per connection.
            self._db.change(sa.delete(table).where(columns.parent_id.in_(keys)))
            return self._db.change(sa.delete(table).where(columns.id.in_(keys)))

        return self._all(work, old)

    def _all(self, work: t.Callable[[], int], old: sa.Select[t.Any]) -> int:
        """Delete batches until no row is left. Without any, nothing is written."""
        count = 0
        while self._db.execute(old.limit(1)).first() is not None:
            count += self._db.write(work)
        self._db.release()
        return count
