"""The difference between two images of a repository."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import repeat

from flask import render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from ..catalog.repository_contents import ManifestRow
from ..core import artifact_types
from ..core import documents
from ..services import services
from ..spec.manifest import INDEX_TYPES
from . import paging
from .access import admit
from .manifest import Content
from .manifest import content_of
from .manifest import find
from .translation import gettext

#: How many tags are offered while somebody types.
KNOWN: t.Final = 200


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    reference: str
    platform: str
    content: Content

    @property
    def parts(self) -> dict[str, Part]:
        """What it is made of, each of it once, by digest."""
        made = [
            Part(layer.descriptor.digest, layer.descriptor.size, layer.command)
            for layer in self.content.layers
            if layer.descriptor
        ]
        made += [Part(f.digest, f.size, f.title) for f in self.content.files]
        return {part.digest: part for part in made}

    @property
    def bytes(self) -> int:
        """How much that is."""
        return sum(part.size for part in self.parts.values())


class Part(t.NamedTuple):
    """A layer, or a file."""

    digest: str
    size: int
    label: str
    """What made it, or what it is called."""


class Change(t.NamedTuple):
    """Something that is said otherwise, on one side only, or both."""

    key: str
    before: str | None
    after: str | None


def compare(name: str) -> ResponseReturnValue:
    """Show what is new in an image, what has gone, and what both share.

    A tag that is not there, as a mistyped one, is a 404 with the form still filled in.
    """
    repository = admit(name)
    key = repository.key
    references = paging.parameter("from"), paging.parameter("to")
    tags = services().catalog.tags.page(key, KNOWN, None)
    rows = [_find(key, reference) for reference in references if all(references)]
    missing = [r for r, row in zip(references, rows, strict=False) if row is None]
    found = [] if missing else t.cast("list[ManifestRow]", rows)
    offered = [_platforms(row) for row in found]
    platforms, wanted = _choose(offered)
    sides = [*map(_side, repeat(key), references, found, offered, wanted)]
    page = render_template(
        "oci/compare.html",
        repository=repository,
        references=references,
        tags=tags,
        missing={reference: _meant(reference, tags) for reference in missing},
        platform=wanted[-1] if wanted else "",
        platforms=platforms,
        difference=_difference(*sides) if sides else None,
    )
    return page, 404 if missing else 200


def _find(repository_id: int, reference: str) -> ManifestRow | None:
    try:
        return find(repository_id, reference)[0]
    except NotFound:
        return None


def _meant(reference: str, tags: list[str]) -> str:
    """Return the tag that somebody may have meant, if one is close."""
    return next(iter(get_close_matches(reference, tags, 1)), "")


def _choose(found: list[dict[str, str]]) -> tuple[list[str], list[str]]:
    """Return the platforms that both images have, and the one to look at of each: what
    the visitor wants, or the first; the second image follows the first."""
    wanted, chosen = paging.parameter("platform"), []
    for platforms in found:
        wanted = wanted if wanted in platforms else next(iter(platforms), "")
        chosen.append(wanted)
    first = found[0] if found else {}
    both = [name for name in first if all(name in platforms for platforms in found)]
    return both, chosen


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
            _said(before, "environment"), _said(after, "environment")
        ),
        "labels": _changes(_said(before, "labels"), _said(after, "labels")),
    }


def _changes(before: dict[str, str], after: dict[str, str]) -> list[Change]:
    keys = sorted({*before, *after})
    rows = (Change(key, before.get(key), after.get(key)) for key in keys)
    return [row for row in rows if row.before != row.after]


def _facts(side: Side) -> dict[str, str]:
    config = side.content.config
    facts = config.facts if config else side.content.chart
    return {gettext(name): value for name, value in facts}


def _said(side: Side, what: str) -> dict[str, str]:
    config = side.content.config
    return dict(getattr(config, what)) if config else {}


def _platforms(row: ManifestRow) -> dict[str, str]:
    """Return the digests of an index's images, by platform."""
    if row.media_type not in INDEX_TYPES:
        return {}
    found = documents.objects(documents.as_object(row.content).get("manifests"))
    children = documents.descriptors(found[: documents.MOST])
    return {
        c.platform: c.digest for c in children if c.platform and not c.is_attestation
    }


def _side(
    repository_id: int,
    reference: str,
    row: ManifestRow,
    platforms: dict[str, str],
    wanted: str,
) -> Side:
    if wanted in platforms:
        contents = services().catalog.repository_contents
        digest = platforms[wanted]
        row = contents.manifests(repository_id, [digest], whole=True).get(digest, row)
    kind = artifact_types.recognise(row.media_type, row.artifact_type)
    return Side(reference, wanted, content_of(repository_id, row, kind))
