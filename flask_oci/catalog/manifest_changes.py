"""Changes that are recorded when a manifest is pushed or deleted."""

from __future__ import annotations

import typing as t

from ..changes import Change
from ..changes import MANIFEST_DELETED
from ..changes import MANIFEST_PUSHED

if t.TYPE_CHECKING:
    from ..spec.digest import Digest
    from ..spec.manifest import Manifest
    from .locked_repository import LockedRepository


def deleted(
    repository: LockedRepository, digest: str, media_type: str, by: t.Any = None
) -> Change:
    """Return the change that deletes a manifest.

    :param by: the key of the user who makes the change; None is the registry itself.
    """
    return Change(
        kind=MANIFEST_DELETED,
        repository=repository.name,
        repository_id=repository.id,
        digest=digest,
        media_type=media_type,
        by=by,
    )


def pushed(
    repository: LockedRepository,
    manifest: Manifest,
    content: bytes,
    digest: Digest,
    tag_names: list[str],
    by: t.Any,
) -> Change:
    return Change(
        kind=MANIFEST_PUSHED,
        repository=repository.name,
        repository_id=repository.id,
        digest=str(digest),
        media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        subject=str(manifest.subject) if manifest.subject else None,
        size=len(content),
        tags=tuple(tag_names),
        content=content,
        by=by,
    )
