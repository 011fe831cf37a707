"""Rows of manifests: their insertion, within the transaction of a push."""

from __future__ import annotations

import typing as t
from functools import cache

import sqlalchemy as sa

from ..clock import utcnow
from ..errors import ManifestInvalid
from ..robot_key import robot_login
from ..robot_key import user_key
from ..spec.digest import Digest
from ..spec.manifest import Manifest
from . import references
from .database import Database
from .database import newest
from .manifest_traits import Traits
from .models import Models


def record(
    database: Database,
    repository_id: int,
    user_id: t.Any,
    manifest: Manifest,
    content: bytes,
    digest: Digest,
    traits: Traits,
) -> int:
    """Insert a manifest with its references, or touch the existing one, within a
    transaction that has locked the repository.

    :param user_id: the key of the user who pushes, or None.
    :param traits: the kind and the platform of its content. The collection records
        those that are not known.
    :return: the key of the manifest.
    :raises ManifestInvalid: if the repository has it with another media type.
    """
    wanted = {"repository_id": repository_id, "digest": str(digest)}
    row = database.execute(_finding(database.models), wanted).first()
    if row is None:
        # Pushes to a repository wait for each other. If another transaction has
        # inserted the manifest nevertheless, this one is retried.
        inserted: t.Any = database.execute(
            sa.insert(database.models.Manifest.__table__),
            {
                **wanted,
                "media_type": manifest.media_type,
                "artifact_type": manifest.artifact_type,
                "subject_digest": manifest.subject and str(manifest.subject),
                "annotations": manifest.annotations or None,
                "size": len(content),
                "content": content,
                "pushed_by_id": user_key(user_id),
                "pushed_by_robot": robot_login(user_id),
                **traits.columns(),
            },
        )
        key = int(inserted.inserted_primary_key[0])
        references.record(database, key, manifest.descriptors)
        return key
    if row.media_type != manifest.media_type:
        raise ManifestInvalid(
            f"This repository already has this manifest with the media type"
            f" {row.media_type}. Push it with that media type.",
            detail=str(digest),
        )
    _touch(database, row.id, traits)
    return int(row.id)


def _touch(database: Database, key: int, traits: Traits) -> None:
    """Record that a manifest was pushed again, and what is known of its content."""
    table = database.models.Manifest.__table__
    known = {k: v for k, v in traits.columns().items() if v is not None}
    touching = sa.update(table).where(table.c.id == key)
    database.execute(touching.values(touched_at=utcnow(), **known))


@cache
def _finding(models: Models) -> sa.Select[t.Any]:
    columns = models.Manifest.__table__.c
    return newest(
        sa.select(columns.id, columns.media_type).where(
            columns.repository_id == sa.bindparam("repository_id"),
            columns.digest == sa.bindparam("digest"),
        )
    )
