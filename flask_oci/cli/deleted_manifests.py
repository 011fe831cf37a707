"""Deleted manifests at the command line: listing and restoring them."""

from __future__ import annotations

import typing as t

import click

from ..core.actor import Actor
from ..errors import ManifestUnknown
from ..services import services
from ..spec.digest import Digest
from . import output
from .common import error_messages
from .digests import short

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..catalog.deleted_manifests import DeletedManifestRow

#: The maximum number of deleted manifests among which a short digest is looked up.
_MAX_ROWS: t.Final = 10_000


def show(repository: RepositoryInfo, limit: int, *, as_json: bool) -> None:
    """Print the deleted manifests of a repository that can be restored.

    :param limit: the maximum number of manifests.
    """
    with error_messages():
        rows = _rows(repository, limit)
        names = services().catalog.users.names(row.deleted_by_id for row in rows)
    found: list[dict[str, t.Any]] = [
        {
            "digest": row.digest,
            "tags": row.tags,
            "deleted": row.deleted_at,
            "deleted_by": names.get(row.deleted_by_id),
        }
        for row in rows
    ]
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("digest", "deleted", "by", "tags"),
        (
            (short(each["digest"]), each["deleted"], each["deleted_by"], each["tags"])
            for each in found
        ),
    )
    if not found:
        output.none_found(f"No manifest of {repository.name} can be restored.")


def restore(repository: RepositoryInfo, given: str) -> None:
    """Restore a deleted manifest with its tags, and print its digest.

    :param given: the digest, or its first digits.
    :raises ManifestUnknown: if no deleted manifest, or more than one, has this digest.
    """
    start = given.removeprefix("sha256:")
    found = [
        row.digest
        for row in _rows(repository, _MAX_ROWS)
        if row.digest == given or (start and _digits(row.digest).startswith(start))
    ]
    if len(found) > 1:
        raise ManifestUnknown(f"{len(found)} deleted manifests begin with {start}.")
    content = services().content
    if not found or not content.restore_manifest(
        repository, Digest.parse(found[0]), Actor()
    ):
        raise ManifestUnknown(
            f"{repository.name}@{given} cannot be restored. 'flask oci history"
            f" {repository.name} --deleted' shows what can."
        )
    click.echo(f"Restored {repository.name}@{short(found[0])}.")


def _rows(repository: RepositoryInfo, limit: int) -> list[DeletedManifestRow]:
    since = services().content.restorable_since()
    if since is None:
        return []
    return services().catalog.deleted_manifests.page(repository.key, since, limit)


def _digits(digest: str) -> str:
    return digest.partition(":")[2]
