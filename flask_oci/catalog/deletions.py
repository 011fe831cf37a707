"""Deletions of one form, which one click can undo."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from .database import Database

#: The maximum number of deletions that one click undoes.
MAX_DELETIONS: t.Final = 500


class Deletions:
    """Finds the deletions of a user that were recorded between two moments.

    A moment is the key of the last record, because a time can be the same for several
    records.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def last_move(self, repository_id: int) -> int:
        """Return the key of the last move of a tag, or 0."""
        return self._last(self._db.models.TagMove, repository_id)

    def last_image(self, repository_id: int) -> int:
        """Return the key of the last deleted manifest that can be restored, or 0."""
        return self._last(self._db.models.DeletedManifest, repository_id)

    def tags(self, repository_id: int, after: int, until: int, by: t.Any) -> list[int]:
        """Return the moves that deleted tags which do not exist again, oldest first.

        :param after: the key of the last move before the deletions.
        :param until: the key of the last move of the deletions.
        :param by: the key of the user who deleted the tags.
        """
        Row, Tag = self._db.models.TagMove, self._db.models.Tag
        exists = sa.exists().where(
            Tag.repository_id == repository_id, Tag.name == Row.name
        )
        found = self._db.execute(
            sa.select(Row.id)
            .where(
                Row.repository_id == repository_id,
                Row.id > after,
                Row.id <= until,
                Row.to_digest.is_(None),
                Row.moved_by_id == by,
                sa.not_(exists),
            )
            .order_by(Row.id)
            .limit(MAX_DELETIONS)
        )
        return [int(key) for key in found.scalars()]

    def images(
        self, repository_id: int, after: int, until: int, by: t.Any, since: datetime
    ) -> list[str]:
        """Return the digests of deleted manifests, the latest first: an index needs the
        images that were deleted after it.

        :param after: the key of the last deletion before.
        :param until: the key of the last deletion.
        :param by: the key of the user who deleted the manifests.
        :param since: leave out those that were deleted before.
        """
        Row = self._db.models.DeletedManifest
        found = self._db.execute(
            sa.select(Row.digest)
            .where(
                Row.repository_id == repository_id,
                Row.id > after,
                Row.id <= until,
                Row.deleted_by_id == by,
                Row.deleted_at >= since,
            )
            .order_by(Row.id.desc())
            .limit(MAX_DELETIONS)
        )
        return [str(digest) for digest in found.scalars()]

    def _last(self, table: t.Any, repository_id: int) -> int:
        statement = sa.select(sa.func.max(table.id)).where(
            table.repository_id == repository_id
        )
        return self._db.session.scalar(statement) or 0
