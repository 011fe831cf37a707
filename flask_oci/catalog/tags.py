"""Tags: names that can be moved from one manifest to another."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from functools import cache

import sqlalchemy as sa

from ..changes import Change
from ..changes import TAG_DELETED
from ..changes import TAG_MOVED
from ..clock import utcnow
from ..rules.protection import Guard
from . import rules
from .database import Database
from .database import newest
from .models import Models

#: How far somebody may go of whom nothing is known: not to what is protected.
NOBODY: t.Final = Guard()


class Tags:
    """Lists, moves and deletes the tags of a repository."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page(self, repository_id: int, limit: int, last: str | None) -> list[str]:
        """List tags in the order of their bytes.

        :param limit: the maximum number of results.
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

    def delete(
        self, repository_id: int, name: str, by: t.Any = None, guard: Guard = NOBODY
    ) -> bool:
        """Take a tag away; its manifest stays.

        :param by: the key of the user who makes the change.
        :param guard: how far they may go.
        :return: whether there was one.
        :raises Denied: when it is protected from them.
        """
        return bool(self.delete_all(repository_id, [name], by, guard))

    def delete_all(
        self,
        repository_id: int,
        names: Sequence[str],
        by: t.Any,
        guard: Guard = NOBODY,
    ) -> list[str]:
        """Take some tags away, all or none; their manifests stay.

        :param by: the key of the user who makes the change.
        :param guard: how far they may go.
        :return: those that there were.
        :raises Denied: when one is protected from them.
        """

        def work() -> list[str]:
            locked = self._db.lock_repository(repository_id)
            place = LockedRepository(repository_id, locked, guard)
            return [name for name in names if drop(self._db, place, name, by)]

        return self._db.write(work)

    def drop_misplaced(self, repository_id: int, name: str) -> bool:
        """Take a tag away if it points at nothing that is in its repository, whoever
        protects it.

        :return: whether it did.
        """
        models = self._db.models
        Manifest, Tag = models.Manifest, models.Tag
        in_place = newest(
            sa.select(Manifest.id)
            .join(Tag, Tag.manifest_id == Manifest.id)
            .where(
                Tag.repository_id == repository_id,
                Tag.name == name,
                Manifest.repository_id == repository_id,
            )
        )

        def work() -> bool:
            locked = self._db.lock_repository(repository_id)
            # It may have been pushed since somebody saw it.
            if self._db.execute(in_place).first() is not None:
                return False
            place = LockedRepository(repository_id, locked, Guard(repairs=True))
            return drop(self._db, place, name, None)

        return self._db.write(work)

    def restore(
        self, repository_id: int, move_id: int, by: t.Any, guard: Guard = NOBODY
    ) -> str | None:
        """Put a tag back where it was before one of its moves.

        :param by: the key of the user who makes the change.
        :param guard: how far they may go.
        :return: the tag, or None where what it pointed at is no longer there.
        :raises Denied: when it is elsewhere now, and protected from them.
        """
        Manifest, Move = self._db.models.Manifest, self._db.models.TagMove

        def work() -> str | None:
            locked = self._db.lock_repository(repository_id)
            place = LockedRepository(repository_id, locked, guard)
            row = self._db.session.execute(
                newest(
                    sa.select(Move.name, Manifest.id, Manifest.digest)
                    .join(
                        Manifest,
                        sa.and_(
                            Manifest.repository_id == Move.repository_id,
                            Manifest.digest == Move.from_digest,
                        ),
                    )
                    .where(Move.repository_id == repository_id, Move.id == move_id)
                )
            ).first()
            if row is None:
                return None
            move(self._db, place, row.name, row.id, row.digest, by)
            return t.cast(str, row.name)

        return self._db.write(work)


class LockedRepository(t.NamedTuple):
    """The repository that a transaction has locked."""

    id: int
    name: str | None
    guard: Guard = NOBODY
    """How far whoever it is done for may go with its tags."""


def move(
    database: Database,
    place: LockedRepository,
    name: str,
    manifest_id: int,
    digest: str,
    by: t.Any,
    *,
    by_push: bool = False,
) -> None:
    """Point a tag at a manifest, within a transaction that has locked its repository.

    :param digest: that of the manifest.
    :param by: the key of the user who makes the change.
    :param by_push: whether the manifest is being pushed.
    :raises Denied: when it points elsewhere, and is protected from them.
    """
    repository_id = place.id
    before = _target(database, repository_id, name)
    moves = before is None or before.digest != digest
    if moves and before is not None:
        rules.check_tag(database, repository_id, name, place.guard)
    if moves:
        database.record_change(
            Change(
                kind=TAG_MOVED,
                repository=place.name,
                repository_id=repository_id,
                tag=name,
                digest=digest,
                former_digest=before.digest if before else None,
                by_push=by_push,
                by=by,
            )
        )
    database.upsert(
        database.models.Tag,
        {"repository_id": repository_id, "name": name},
        manifest_id=manifest_id,
        updated_at=utcnow(),
    )
    if moves:
        _leave(database, before)
        _record(database, repository_id, name, before, digest, by)


def drop(database: Database, place: LockedRepository, name: str, by: t.Any) -> bool:
    """Take a tag away, within a transaction that has locked its repository.

    :return: whether there was one.
    :raises Denied: when it is protected from who does it.
    """
    Tag, repository_id = database.models.Tag, place.id
    before = _target(database, repository_id, name)
    if before is not None:
        rules.check_tag(database, repository_id, name, place.guard)
        database.record_change(
            Change(
                kind=TAG_DELETED,
                repository=place.name,
                repository_id=repository_id,
                tag=name,
                digest=before.digest,
                by=by,
            )
        )
    gone = database.change(
        sa.delete(Tag.__table__).where(
            Tag.repository_id == repository_id, Tag.name == name
        )
    )
    if gone:
        _leave(database, before)
        _record(database, repository_id, name, before, None, by)
    return bool(gone)


def _target(database: Database, repository_id: int, name: str) -> t.Any:
    """Return the key and the digest of what a tag points at, or None."""
    return database.execute(
        _targeting(database.models), {"repository_id": repository_id, "name": name}
    ).first()


@cache
def _targeting(models: Models) -> sa.Select[t.Any]:
    manifest, tag = models.Manifest.__table__.c, models.Tag.__table__.c
    return newest(
        sa.select(manifest.id, manifest.digest).where(
            manifest.id == tag.manifest_id,
            tag.repository_id == sa.bindparam("repository_id"),
            tag.name == sa.bindparam("name"),
        )
    )


def _leave(database: Database, before: t.Any) -> None:
    """Remember that the manifest of a tag was needed until now."""
    if before is None:
        return
    Manifest = database.models.Manifest
    database.execute(
        sa.update(Manifest.__table__)
        .where(Manifest.id == before.id)
        .values(touched_at=utcnow())
    )


def _record(
    database: Database,
    repository_id: int,
    name: str,
    before: t.Any,
    to_digest: str | None,
    by: t.Any,
) -> None:
    database.execute(
        sa.insert(database.models.TagMove.__table__).values(
            repository_id=repository_id,
            name=name,
            from_digest=before.digest if before else None,
            to_digest=to_digest,
            moved_by_id=by,
            moved_at=utcnow(),
        )
    )
