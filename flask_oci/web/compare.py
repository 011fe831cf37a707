"""The comparison of two images of a repository."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import repeat

from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from ..catalog.repository_contents import ManifestRow
from ..core import artifact_types
from ..core import documents
from ..services import services
from ..spec.manifest import INDEX_TYPES
from . import paging
from .access import authorize
from .manifest import Content
from .manifest import content_of
from .manifest_lookup import find
from .rendering import render
from .translation import gettext

#: The maximum number of tags that the form suggests.
MAX_SUGGESTIONS: t.Final = 200


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two images."""

    reference: str
    platform: str
    content: Content

    @property
    def parts(self) -> dict[str, Part]:
        """The layers and files of the image, by digest."""
        parts = [
            Part(layer.descriptor.digest, layer.descriptor.size, layer.command)
            for layer in self.content.layers
            if layer.descriptor
        ]
        parts += [Part(f.digest, f.size, f.title) for f in self.content.files]
        return {part.digest: part for part in parts}

    @property
    def bytes(self) -> int:
        """The total size of the parts."""
        return sum(part.size for part in self.parts.values())


class Part(t.NamedTuple):
    """A layer, or a file."""

    digest: str
    size: int
    label: str
    """The command that made the layer, or the title of the file."""


class Change(t.NamedTuple):
    """A property that differs between the two images; None if one lacks it."""

    key: str
    before: str | None
    after: str | None


def compare(name: str) -> ResponseReturnValue:
    """Show the layers that one image adds, removes and shares, and other differences.

    If a tag does not exist, such as a mistyped one, the response is 404 with the form
    still filled in.
    """
    repository = authorize(name)
    key = repository.key
    references = paging.parameter("from"), paging.parameter("to")
    tags = services().catalog.tags.page(key, MAX_SUGGESTIONS, None)
    rows = [_find(key, reference) for reference in references if all(references)]
    missing = [r for r, row in zip(references, rows, strict=False) if row is None]
    found = [] if missing else t.cast("list[ManifestRow]", rows)
    available = [_platforms(row) for row in found]
    own = [
        _content(key, row) if not children else None
        for row, children in zip(found, available, strict=True)
    ]
    platforms, selected = _select_platforms(available, [*map(_platform, own)])
    sides = [*map(_side, repeat(key), references, found, available, selected, own)]
    page = render(
        "oci/compare.html",
        repository=repository,
        references=references,
        tags=tags,
        missing={reference: _similar_tag(reference, tags) for reference in missing},
        platform=next(
            (p for p, children in zip(selected, available, strict=True) if children),
            selected[-1] if selected else "",
        ),
        platforms=platforms,
        difference=_difference(*sides) if sides else None,
    )
    return page, 404 if missing else 200


def _find(repository_id: int, reference: str) -> ManifestRow | None:
    try:
        return find(repository_id, reference)[0]
    except NotFound:
        return None


def _similar_tag(reference: str, tags: list[str]) -> str:
    """Return the tag that is most similar to a mistyped one; empty if none is."""
    return next(iter(get_close_matches(reference, tags, 1)), "")


def _select_platforms(
    available: list[dict[str, str]], own: list[str]
) -> tuple[list[str], list[str]]:
    """Return the platforms that the visitor can choose, and the selected one of each
    image.

    An index has the platform that the visitor selected, or else that of the other
    image, or else its first one. The platforms to choose are those that all indexes
    have.

    :param available: the platforms of the images, if they are indexes.
    :param own: the platform of each image that is no index.
    """
    indexes = [platforms for platforms in available if platforms]
    wanted, selected = [paging.parameter("platform"), *own], []
    for platforms, platform in zip(available, own, strict=True):
        if platforms:
            platform = next(
                (p for p in wanted if p in platforms), next(iter(platforms))
            )
            wanted.insert(1, platform)
        selected.append(platform)
    first = indexes[0] if indexes else {}
    both = [name for name in first if all(name in platforms for platforms in indexes)]
    return both, selected


def _difference(before: Side, after: Side) -> dict[str, t.Any]:
    old, new = before.parts, after.parts
    return {
        "before": before,
        "after": after,
        "shared": [part for digest, part in new.items() if digest in old],
        "added": [part for digest, part in new.items() if digest not in old],
        "removed": [part for digest, part in old.items() if digest not in new],
        "config": _changes(_facts(before), _facts(after)),
        "environment": _changes(
            _pairs(before, "environment"), _pairs(after, "environment")
        ),
        "labels": _changes(_pairs(before, "labels"), _pairs(after, "labels")),
    }


def _changes(before: dict[str, str], after: dict[str, str]) -> list[Change]:
    keys = sorted({*before, *after})
    rows = (Change(key, before.get(key), after.get(key)) for key in keys)
    return [row for row in rows if row.before != row.after]


def _facts(side: Side) -> dict[str, str]:
    config = side.content.config
    facts = config.facts if config else side.content.chart
    return {gettext(name): value for name, value in facts}


def _pairs(side: Side, field: str) -> dict[str, str]:
    config = side.content.config
    return dict(getattr(config, field)) if config else {}


def _platforms(row: ManifestRow) -> dict[str, str]:
    """Return the digests of an index's images, by platform."""
    if row.media_type not in INDEX_TYPES:
        return {}
    return {
        c.platform: c.digest
        for c in documents.children(row.content)
        if c.platform and not c.is_attestation
    }


def _platform(content: Content | None) -> str:
    """Return the platform of an image; empty if it has none."""
    return content.config.platform if content and content.config else ""


def _content(repository_id: int, row: ManifestRow) -> Content:
    kind = artifact_types.recognise(row.media_type, row.artifact_type)
    return content_of(repository_id, row, kind)


def _side(
    repository_id: int,
    reference: str,
    row: ManifestRow,
    platforms: dict[str, str],
    platform: str,
    content: Content | None,
) -> Side:
    if platform in platforms:
        contents = services().catalog.repository_contents
        digest = platforms[platform]
        row = contents.manifests(repository_id, [digest], whole=True).get(digest, row)
    return Side(reference, platform, content or _content(repository_id, row))
