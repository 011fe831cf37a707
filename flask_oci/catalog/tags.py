"""Tags: names that can be moved from one manifest to another."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..models import utcnow
from .database import Database


class Tags:
    """Lists, moves and deletes the tags of a repository."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page(self, repository_id: int, limit: int, last: str | None) -> list[str]:
        """List tags in the order of their bytes.

        :param limit: how many to return at the most.
        :param last: the tag to begin behind, whether or not it exists.
        """
        Tag = self._db.models.Tag
        statement = (
            sa.select(Tag.name)
            .where(Tag.repository_id == repository_id)
            .order_by(Tag.name)
            .limit(limit)
        )
        if last is not None:
            statement = statement.where(Tag.name > last)
        return list(self._db.session.scalars(statement))

    def delete(self, repository_id: int, name: str) -> bool:
        """Take a tag away; its manifest stays.

        :return: whether there was one.
        """
        Tag = self._db.models.Tag

        def work() -> bool:
            touch_tagged(self._db, repository_id, name)
            result = self._db.session.execute(
                sa.delete(Tag.__table__).where(
                    Tag.repository_id == repository_id, Tag.name == name
                )
            )
            return bool(t.cast(t.Any, result).rowcount)

        return self._db.write(work)


def touch_tagged(database: Database, repository_id: int, name: str) -> None:
    """Remember that the manifest of a tag was needed until now."""
    Manifest, Tag = database.models.Manifest, database.models.Tag
    tagged = sa.select(Tag.manifest_id).where(
        Tag.repository_id == repository_id, Tag.name == name
    )
    database.session.execute(
        sa.update(Manifest.__table__)
        .where(Manifest.id == tagged.scalar_subquery())
        .values(touched_at=utcnow())
    )


def move(database: Database, repository_id: int, name: str, manifest_id: int) -> None:
    """Point a tag at a manifest, within a transaction."""
    touch_tagged(database, repository_id, name)
    database.upsert(
        database.models.Tag,
        {"repository_id": repository_id, "name": name},
        manifest_id=manifest_id,
        updated_at=utcnow(),
    )
