"""Tags: listing, moving, deleting and restoring them."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from datetime import datetime
from functools import cache

import sqlalchemy as sa

from ..changes import Change
from ..changes import TAG_DELETED
from ..changes import TAG_MOVED
from ..clock import as_utc
from ..clock import utcnow
from ..robot_key import robot_login
from ..robot_key import user_key
from ..rules.protection import Guard
from . import rules
from .database import Database
from .database import newest
from .models import Models

if t.TYPE_CHECKING:
    from .quotas import Quotas
    from .repositories import Repositories
    from .repository_info import RepositoryInfo

#: A function of a repository, a digest, its media type and tags that are set to it.
CheckTags: t.TypeAlias = "t.Callable[[RepositoryInfo, str, str, list[str]], object]"

#: The maximum number of tags that one transaction deletes. Other pushes wait for it, on
#: SQLite those to every repository.
BATCH_SIZE: t.Final = 50

#: The permissions of an unknown caller, who may not change protected tags.
DEFAULT_GUARD: t.Final = Guard()


class Tags:
    """Lists, restores and deletes the tags of a repository."""

    def __init__(
        self, database: Database, repositories: Repositories, quotas: Quotas
    ) -> None:
        self._db = database
        self._repositories = repositories
        self._quotas = quotas

    def page(self, repository_id: int, limit: int, last: str | None) -> list[str]:
        """Return tags in bytewise order.

        :param limit: the maximum number of results.
        :param last: the tag after which the page begins. It need not exist.
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
        self,
        repository_id: int,
        name: str,
        by: t.Any = None,
        guard: Guard = DEFAULT_GUARD,
    ) -> bool:
        """Delete a tag, but not its manifest.

        :param by: the key of the user who makes the change.
        :param guard: the caller's permissions on protected tags.
        :return: True if the tag existed.
        :raises Denied: if the caller may not delete the tag.
        """
        return bool(self.delete_all(repository_id, [name], by, guard))

    def delete_all(
        self,
        repository_id: int,
        names: Sequence[str],
        by: t.Any,
        guard: Guard = DEFAULT_GUARD,
    ) -> list[str]:
        """Delete some tags, but not their manifests.

        All tags are checked before the first is deleted. Each transaction deletes at
        most :data:`BATCH_SIZE` of them.

        :param by: the key of the user who makes the change.
        :param guard: the caller's permissions on protected tags.
        :return: the tags that existed.
        :raises Denied: if the caller may not delete one of the tags.
        """
        if len(names) > 1:
            names = self._existing(repository_id, names)
            rules.check_tags(self._db, repository_id, names, guard)
        deleted = []
        for start in range(0, len(names), BATCH_SIZE):
            batch = names[start : start + BATCH_SIZE]
            deleted += self._delete_batch(repository_id, batch, by, guard)
        return deleted

    def check_deletable(
        self, repository_id: int, names: Sequence[str], guard: Guard
    ) -> None:
        """Check that some tags may be deleted.

        :param guard: the caller's permissions on protected tags.
        :raises Denied: if the caller may not delete one of the tags.
        """
        rules.check_tags(self._db, repository_id, names, guard)

    def _existing(self, repository_id: int, names: Sequence[str]) -> list[str]:
        Tag = self._db.models.Tag
        found: set[str] = set()
        for start in range(0, len(names), BATCH_SIZE):
            found.update(
                self._db.session.scalars(
                    sa.select(Tag.name).where(
                        Tag.repository_id == repository_id,
                        Tag.name.in_(names[start : start + BATCH_SIZE]),
                    )
                )
            )
        return [name for name in names if name in found]

    def _delete_batch(
        self, repository_id: int, names: Sequence[str], by: t.Any, guard: Guard
    ) -> list[str]:
        def work() -> list[str]:
            locked = self._db.lock_repository(repository_id)
            repository = LockedRepository(repository_id, locked, guard)
            return [name for name in names if drop(self._db, repository, name, by)]

        return self._db.write(work, by=by)

    def drop_misplaced(self, repository_id: int, name: str) -> bool:
        """Delete a tag, even a protected one, if it points at no manifest of its
        repository.

        :return: True if it was deleted.
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
            # It may have been pushed after it was found misplaced.
            if self._db.execute(in_place).first() is not None:
                return False
            repository = LockedRepository(repository_id, locked, Guard(repairs=True))
            return drop(self._db, repository, name, None)

        return self._db.write(work)

    def restore(
        self,
        repository_id: int,
        move_id: int,
        by: t.Any,
        guard: Guard = DEFAULT_GUARD,
        check_tags: CheckTags = lambda *_: None,
    ) -> str | None:
        """Restore a tag to the manifest that it pointed at before a move. A deleted tag
        keeps the time of its last push, and its place among the newest tags.

        :param move_id: the key of the move.
        :param by: the key of the user who makes the change.
        :param guard: the caller's permissions on protected tags.
        :param check_tags: raises an error if an image policy does not allow the tag.
        :return: the tag, or None if that manifest no longer exists.
        :raises Denied: if the tag points elsewhere and the caller may not move it.
        :raises QuotaExceeded: if the restored image would exceed a quota.
        """
        Manifest, Move = self._db.models.Manifest, self._db.models.TagMove

        def work() -> str | None:
            found = self._repositories.lock(repository_id)
            if found is None:
                return None
            repository = LockedRepository(repository_id, found.name, guard)
            row = self._db.session.execute(
                newest(
                    sa.select(
                        Move.name,
                        Move.tagged_at,
                        Manifest.id,
                        Manifest.digest,
                        Manifest.media_type,
                    )
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
            check_tags(found, row.digest, row.media_type, [row.name])
            with self._quotas.within(found):
                move(
                    self._db,
                    repository,
                    row.name,
                    row.id,
                    row.digest,
                    by,
                    tagged_at=row.tagged_at and as_utc(row.tagged_at),
                )
            return t.cast(str, row.name)

        return self._db.write(work, by=by)


class LockedRepository(t.NamedTuple):
    """A repository that the current transaction has locked."""

    id: int
    name: str | None
    guard: Guard = DEFAULT_GUARD
    """The caller's permissions on its protected tags."""


def move(
    database: Database,
    repository: LockedRepository,
    name: str,
    manifest_id: int,
    digest: str,
    by: t.Any,
    *,
    by_push: bool = False,
    tagged_at: datetime | None = None,
) -> None:
    """Point a tag at a manifest, within a transaction that has locked its repository.

    :param digest: the digest of the manifest.
    :param by: the key of the user who makes the change.
    :param by_push: whether the manifest is being pushed.
    :param tagged_at: when the tag had last been pushed or moved, if its deletion is
        undone. It is ignored if the tag exists again.
    :raises Denied: if the tag points elsewhere and the caller may not move it.
    """
    repository_id, now = repository.id, utcnow()
    before = _target(database, repository_id, name)
    moves = before is None or before.digest != digest
    is_restored = before is None and tagged_at is not None
    if moves and before is not None:
        rules.check_tag(database, repository_id, name, repository.guard)
    if moves:
        database.record_change(
            Change(
                kind=TAG_MOVED,
                repository=repository.name,
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
        updated_at=tagged_at if is_restored else now,
        restored_at=now if is_restored else None,
    )
    if moves:
        _leave(database, before)
        _record(database, repository_id, name, before, digest, by)


def drop(
    database: Database, repository: LockedRepository, name: str, by: t.Any
) -> bool:
    """Delete a tag, within a transaction that has locked its repository.

    :param by: the key of the user who makes the change.
    :return: True if the tag existed.
    :raises Denied: if the caller may not delete the tag.
    """
    Tag, repository_id = database.models.Tag, repository.id
    before = _target(database, repository_id, name)
    if before is not None:
        rules.check_tag(database, repository_id, name, repository.guard)
        database.record_change(
            Change(
                kind=TAG_DELETED,
                repository=repository.name,
                repository_id=repository_id,
                tag=name,
                digest=before.digest,
                by=by,
            )
        )
    deleted = database.change(
        sa.delete(Tag.__table__).where(
            Tag.repository_id == repository_id, Tag.name == name
        )
    )
    if deleted:
        _leave(database, before)
        _record(database, repository_id, name, before, None, by)
    return bool(deleted)


def _target(database: Database, repository_id: int, name: str) -> t.Any:
    """Return the key and the digest of a tag's manifest, and the tag's time, or
    None."""
    return database.execute(
        _targeting(database.models), {"repository_id": repository_id, "name": name}
    ).first()


@cache
def _targeting(models: Models) -> sa.Select[t.Any]:
    manifest, tag = models.Manifest.__table__.c, models.Tag.__table__.c
    return newest(
        sa.select(manifest.id, manifest.digest, tag.updated_at).where(
            manifest.id == tag.manifest_id,
            tag.repository_id == sa.bindparam("repository_id"),
            tag.name == sa.bindparam("name"),
        )
    )


def _leave(database: Database, before: t.Any) -> None:
    """Record that the former manifest of a tag was needed until now."""
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
        _recording(database.models),
        {
            "repository_id": repository_id,
            "name": name,
            "from_digest": before.digest if before else None,
            "to_digest": to_digest,
            "moved_by_id": user_key(by),
            "moved_by_robot": robot_login(by),
            "moved_at": utcnow(),
            "tagged_at": before.updated_at if before and to_digest is None else None,
        },
    )


@cache
def _recording(models: Models) -> sa.Insert:
    return sa.insert(models.TagMove.__table__)
