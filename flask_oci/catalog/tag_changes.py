"""Changes of one tag, within a transaction that has locked its repository."""

from __future__ import annotations

import typing as t
from datetime import datetime
from functools import cache

import sqlalchemy as sa

from ..changes import Change
from ..changes import TAG_DELETED
from ..changes import TAG_MOVED
from ..clock import utcnow
from ..robot_key import robot_login
from ..robot_key import user_key
from . import rules
from .database import Database
from .database import newest
from .locked_repository import LockedRepository
from .models import Models


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
