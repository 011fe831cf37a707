"""Deleted manifests that can be restored, and the content that they need.

A deletion on the pages can be undone for a time. The manifest leaves its repository at
once. A copy of its bytes stays, and the collection keeps the content that it needs.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from ..robot_key import user_key
from .database import Database

#: The maximum number of rows that one transaction deletes.
BATCH_SIZE: t.Final = 100


class DeletedManifestRow(t.NamedTuple):
    """A deleted manifest that can be restored."""

    id: int
    """Its key. Later deletions have greater keys."""

    digest: str
    tags: list[str]
    """The tags that were deleted with it."""

    deleted_at: datetime
    deleted_by_id: t.Any


class DeletedContent(t.NamedTuple):
    """The content of a deleted manifest."""

    content: bytes
    media_type: str
    tags: list[str]
    tagged_at: dict[str, datetime]
    """When these tags had last been pushed or moved, if that is known."""


class DeletedManifests:
    """Lists deleted manifests, and forgets them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page(
        self,
        repository_id: int,
        since: datetime,
        limit: int,
        *,
        before: int | None = None,
    ) -> list[DeletedManifestRow]:
        """Return deleted manifests of a repository, the latest first.

        :param since: leave out those that were deleted before.
        :param limit: the maximum number of results.
        :param before: return only entries with a smaller key.
        """
        Row = self._db.models.DeletedManifest
        statement = (
            sa.select(Row.id, Row.digest, Row.tags, Row.deleted_at, Row.deleted_by_id)
            .where(Row.repository_id == repository_id, Row.deleted_at >= since)
            .order_by(Row.id.desc())
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(Row.id < before)
        rows = self._db.session.execute(statement)
        found = [DeletedManifestRow(*row) for row in rows]
        return [row._replace(deleted_at=as_utc(row.deleted_at)) for row in found]

    def find(
        self, repository_id: int, digest: str, since: datetime
    ) -> DeletedContent | None:
        """Return the content of a deleted manifest, or None.

        :param since: ignore one that was deleted before.
        """
        Row = self._db.models.DeletedManifest
        row = self._db.session.execute(
            sa.select(Row.content, Row.media_type, Row.tags).where(
                Row.repository_id == repository_id,
                Row.digest == digest,
                Row.deleted_at >= since,
            )
        ).first()
        if row is None:
            return None
        return DeletedContent(*row, self._tagged_at(repository_id, digest))

    def _tagged_at(self, repository_id: int, digest: str) -> dict[str, datetime]:
        Move = self._db.models.TagMove
        rows = self._db.session.execute(
            sa.select(Move.name, Move.tagged_at)
            .where(
                Move.repository_id == repository_id,
                Move.from_digest == digest,
                Move.tagged_at.is_not(None),
            )
            .order_by(Move.id)
        )
        # The last deletion of a tag takes precedence.
        return {name: as_utc(moment) for name, moment in rows if moment}

    def forget(self, repository_id: int, digest: str) -> bool:
        """Forget a deleted manifest, so that it cannot be restored any more.

        :return: True if it could be restored.
        """
        Row = self._db.models.DeletedManifest

        def work() -> bool:
            self._db.lock_repository(repository_id)
            keys = self._db.execute(
                sa.select(Row.id).where(
                    Row.repository_id == repository_id, Row.digest == digest
                )
            )
            return bool(delete(self._db, list(keys.scalars())))

        return self._db.write(work)

    def prune(self, repository_id: int, before: datetime) -> int:
        """Forget the manifests of a repository that were deleted before a moment.

        :return: the number of manifests.
        """
        Row = self._db.models.DeletedManifest
        old = (
            sa.select(Row.id)
            .where(Row.repository_id == repository_id, Row.deleted_at < before)
            .order_by(Row.id)
            .limit(BATCH_SIZE)
        )

        def work() -> int:
            self._db.lock_repository(repository_id, changes=False)
            return delete(self._db, list(self._db.execute(old).scalars()))

        count = 0
        while self._db.execute(old.limit(1)).first() is not None:
            count += self._db.write(work)
        self._db.release()
        return count


def record(
    database: Database, manifest_id: int, tags: Sequence[str], by: t.Any
) -> None:
    """Record a manifest that is about to be deleted, within a transaction that has
    locked its repository.

    :param tags: the tags that are deleted with it.
    :param by: the key of the user who makes the change.
    """
    models = database.models
    Manifest, Row = models.Manifest.__table__, models.DeletedManifest.__table__
    Reference, Needed = models.ManifestReference.__table__, models.DeletedReference
    row = database.execute(
        sa.select(
            Manifest.c.repository_id,
            Manifest.c.digest,
            Manifest.c.media_type,
            Manifest.c.content,
        ).where(Manifest.c.id == manifest_id)
    ).one()
    earlier = sa.select(Row.c.id).where(
        Row.c.repository_id == row.repository_id, Row.c.digest == row.digest
    )
    delete(database, list(database.execute(earlier).scalars()))
    inserted: t.Any = database.execute(
        sa.insert(Row),
        {
            **row._mapping,
            "tags": list(tags),
            "deleted_at": utcnow(),
            "deleted_by_id": user_key(by),
        },
    )
    key = int(inserted.inserted_primary_key[0])
    needed = (
        sa.select(sa.literal(key), Reference.c.digest)
        .where(Reference.c.manifest_id == manifest_id)
        .distinct()
    )
    database.execute(
        sa.insert(Needed.__table__).from_select(["deleted_id", "digest"], needed)
    )


def delete(database: Database, keys: Sequence[int]) -> int:
    """Delete some rows, within a transaction, and return their number."""
    models = database.models
    Row, Needed = models.DeletedManifest.__table__, models.DeletedReference.__table__
    if not keys:
        return 0
    # SQLite cascades only if the host enables foreign keys per connection.
    database.execute(sa.delete(Needed).where(Needed.c.deleted_id.in_(keys)))
    return database.change(sa.delete(Row).where(Row.c.id.in_(keys)))


def needing(database: Database, repository_id: t.Any, digest: t.Any) -> sa.Exists:
    """Return the condition that a deleted manifest of a repository, which can be
    restored, needs some content.

    :param repository_id: the key of the repository, or a column with it.
    :param digest: the digest of the content, or a column with it.
    """
    Row, Needed = database.models.DeletedManifest, database.models.DeletedReference
    return sa.exists().where(
        Needed.digest == digest,
        Needed.deleted_id == Row.id,
        Row.repository_id == repository_id,
    )


def kept_since(
    database: Database, repository_id: int, since: datetime
) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """Return when manifests were deleted, by the digests of their content and by their
    own digests.

    :param since: ignore manifests that were deleted before.
    """
    Row, Needed = database.models.DeletedManifest, database.models.DeletedReference
    rows = database.session.execute(
        sa.select(Row.digest, Needed.digest, Row.deleted_at)
        .join(Needed, Needed.deleted_id == Row.id, isouter=True)
        .where(Row.repository_id == repository_id, Row.deleted_at >= since)
    )
    needed: dict[str, datetime] = {}
    own: dict[str, datetime] = {}
    for digest, content, moment in rows:
        own[digest] = as_utc(moment)
        if content is not None:
            needed[content] = max(as_utc(moment), needed.get(content, as_utc(moment)))
    return needed, own
