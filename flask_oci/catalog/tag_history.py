"""Tag histories: the creations, moves and deletions of tags."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..robot_key import key_of_row
from .database import Database
from .repository_contents import only_attached


class Move(t.NamedTuple):
    """The creation, move or deletion of a tag."""

    id: int
    name: str
    from_digest: str | None
    to_digest: str | None
    moved_at: datetime
    moved_by_id: t.Any
    can_be_undone: bool
    """Whether the manifest that it pointed at before still exists."""


class Push(t.NamedTuple):
    """A tag that was created or moved."""

    id: int
    repository_id: int
    tag: str
    digest: str
    moved_at: datetime
    pushed_by_id: t.Any


class TagHistory:
    """Reads the moves of tags."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def moves(
        self, repository_id: int, limit: int, *, tag: str = "", before: int | None
    ) -> list[Move]:
        """Return moves of tags, the latest first.

        :param limit: the maximum number of results.
        :param tag: return only moves of this tag; an empty name is all.
        :param before: return only entries with a smaller key.
        """
        Manifest, Row = self._db.models.Manifest, self._db.models.TagMove
        still_there = sa.exists().where(
            Manifest.repository_id == repository_id, Manifest.digest == Row.from_digest
        )
        statement = (
            sa.select(
                Row.id,
                Row.name,
                Row.from_digest,
                Row.to_digest,
                Row.moved_at,
                Row.moved_by_id,
                still_there,
                Row.moved_by_robot,
            )
            .where(Row.repository_id == repository_id)
            .order_by(Row.id.desc())
            .limit(limit)
        )
        if tag:
            statement = statement.where(Row.name == tag)
        if before is not None:
            statement = statement.where(Row.id < before)
        rows = self._db.session.execute(statement)
        found = [(Move(*row), robot) for *row, robot in rows]
        return [
            move._replace(
                moved_at=as_utc(move.moved_at),
                moved_by_id=key_of_row(move.moved_by_id, robot),
            )
            for move, robot in found
        ]

    def pushes(self, repository_ids: Sequence[int], limit: int) -> list[Push]:
        """Return the latest pushes of tags to some repositories, the latest first.

        Tags that attach something to an image, such as a signature, are left out.

        :param limit: the maximum number of results.
        """
        Row = self._db.models.TagMove
        rows = self._db.session.execute(
            sa.select(
                Row.id,
                Row.repository_id,
                Row.name,
                Row.to_digest,
                Row.moved_at,
                Row.moved_by_id,
                Row.moved_by_robot,
            )
            .where(
                Row.repository_id.in_(repository_ids),
                Row.to_digest.is_not(None),
                sa.not_(only_attached(Row.name)),
            )
            .order_by(Row.id.desc())
            .limit(limit)
        )
        found = [(Push(*row), robot) for *row, robot in rows]
        return [
            push._replace(
                moved_at=as_utc(push.moved_at),
                pushed_by_id=key_of_row(push.pushed_by_id, robot),
            )
            for push, robot in found
        ]
