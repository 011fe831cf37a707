"""Tags: listing, deleting and restoring them."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

import sqlalchemy as sa

from ..clock import as_utc
from ..rules.protection import Guard
from . import rules
from .database import Database
from .database import newest
from .locked_repository import DEFAULT_GUARD
from .locked_repository import LockedRepository
from .tag_changes import drop
from .tag_changes import move

if t.TYPE_CHECKING:
    from .quotas import Quotas
    from .repositories import Repositories
    from .repository_info import RepositoryInfo

#: A function of a repository, a digest, its media type and tags that are set to it.
CheckTags: t.TypeAlias = "t.Callable[[RepositoryInfo, str, str, list[str]], object]"

#: The maximum number of tags that one transaction deletes. Other pushes wait for it, on
#: SQLite those to every repository.
BATCH_SIZE: t.Final = 50


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
