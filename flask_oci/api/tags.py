"""Tags and untagged manifests."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ..catalog import RepositoryInfo
from ..catalog.repository_contents import TagRow
from ..core.summaries import Entry
from ..errors import ManifestUnknown
from ..services import services
from ..spec.reference import is_tag
from . import paging
from .access import actor
from .access import authorize
from .bodies import Tag
from .bodies import TagList
from .bodies import Tags


def tags(name: str, query: TagList) -> Tags:
    """List the tags of a repository with their manifests, or its untagged manifests.

    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    key, size = authorize(name).key, paging.size(query)
    found = _rows(key, size + 1, query, paging.position(query.next))
    rows, position = paging.paginate(found, size, _position)
    entries = services().summaries.of(key, rows)
    return Tags(items=[_tag(entry) for entry in entries], next=position)


def tag(name: str, tag: str) -> Tag:
    """Show a tag and the manifest that it points at.

    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises ManifestUnknown: if the tag does not exist.
    """
    return find(authorize(name), tag)


def delete_tag(name: str, tag: str) -> None:
    """Delete a tag. Its manifest stays until a rule or a user deletes it; until then,
    the deletion can be undone.

    :raises Denied: if the caller may not delete, or the tag is protected from the
        caller.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises ManifestUnknown: if the tag does not exist.
    """
    repository = authorize(name, "delete")
    if not is_tag(tag):
        raise ManifestUnknown(detail=tag)
    services().content.delete(repository, tag, actor(repository))


def find(repository: RepositoryInfo, name: str) -> Tag:
    """Return the body that describes a tag.

    :raises ManifestUnknown: if the tag does not exist.
    """
    contents = services().catalog.repository_contents
    row = contents.tagged(repository.key, name) if is_tag(name) else None
    if row is None:
        raise ManifestUnknown(detail=name)
    return _tag(services().summaries.of(repository.key, [row])[0])


def _tag(entry: Entry) -> Tag:
    row, manifest = entry.row, entry.row.manifest
    return Tag(
        name=row.name,
        digest=manifest.digest,
        media_type=manifest.media_type,
        kind=entry.kind.key,
        bytes=entry.bytes,
        smallest_pull=entry.pull.smallest,
        largest_pull=entry.pull.largest,
        platforms=entry.platforms,
        attached=[kind.key for kind in entry.attached],
        moved_at=row.moved_at,
        pushed_at=manifest.pushed_at,
        pushed_by=entry.pushed_by or None,
        pulled_at=manifest.pulled_at,
    )


def _rows(
    key: int, maximum: int, query: TagList, behind: tuple[str, datetime] | None
) -> list[TagRow]:
    contents = services().catalog.repository_contents
    if query.show == "untagged":
        return contents.untagged(key, maximum, behind)
    return contents.tags(
        key,
        maximum,
        search=query.search,
        attached=query.show == "attached",
        newest_first=query.order == "moved",
        behind=behind,
    )


def _position(row: TagRow) -> t.Any:
    return row.name or row.manifest.digest, row.moved_at
