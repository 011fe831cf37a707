"""Tags, and what has none."""

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
from .access import admit
from .bodies import Tag
from .bodies import TagList
from .bodies import Tags


def tags(name: str, query: TagList) -> Tags:
    """List the tags of a repository and what they point at, or what has no tag.

    :raises NameUnknown: when there is none that the caller may see.
    """
    key, most = admit(name).key, paging.limit(query.limit)
    behind = paging.place(query.next)
    rows, place = paging.cut(_rows(key, most + 1, query, behind), most, _place)
    return Tags(
        items=[described(e) for e in services().summaries.of(key, rows)], next=place
    )


def tag(name: str, tag: str) -> Tag:
    """Show a tag and what it points at.

    :raises NameUnknown: when there is no such repository that the caller may see.
    :raises ManifestUnknown: when there is no such tag.
    """
    return find(admit(name), tag)


def delete_tag(name: str, tag: str) -> None:
    """Take a tag away. What it points at stays until a rule, or somebody, deletes it,
    and so long the tag can be put back.

    :raises Denied: when the caller may not, or the tag is protected from them.
    :raises NameUnknown: when there is no such repository that the caller may see.
    :raises ManifestUnknown: when there is no such tag.
    """
    repository = admit(name, "delete")
    if not is_tag(tag):
        raise ManifestUnknown(detail=tag)
    services().content.delete(repository, tag, actor(repository))


def find(repository: RepositoryInfo, name: str) -> Tag:
    """Return a tag as it is answered.

    :raises ManifestUnknown: when there is no such tag.
    """
    contents = services().catalog.repository_contents
    row = contents.tagged(repository.key, name) if is_tag(name) else None
    if row is None:
        raise ManifestUnknown(detail=name)
    return described(services().summaries.of(repository.key, [row])[0])


def described(entry: Entry) -> Tag:
    """Return a tag as it is answered."""
    row, manifest = entry.row, entry.row.manifest
    return Tag(
        name=row.name,
        digest=manifest.digest,
        media_type=manifest.media_type,
        kind=entry.kind.key,
        bytes=entry.bytes,
        platforms=entry.platforms,
        attached=[kind.key for kind in entry.attached],
        moved_at=row.moved_at,
        pushed_at=manifest.pushed_at,
        pushed_by=entry.pushed_by or None,
        pulled_at=manifest.pulled_at,
    )


def _rows(
    key: int, most: int, query: TagList, behind: tuple[str, datetime] | None
) -> list[TagRow]:
    contents = services().catalog.repository_contents
    if query.show == "untagged":
        return contents.untagged(key, most, behind)
    return contents.tags(
        key,
        most,
        search=query.search,
        attached=query.show == "attached",
        newest_first=query.order == "moved",
        behind=behind,
    )


def _place(row: TagRow) -> t.Any:
    return row.name or row.manifest.digest, row.moved_at
