"""The difference between two images of a repository."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from flask import render_template

from ..catalog.contents import ManifestRow
from ..manifests import INDEX_TYPES
from ..services import services
from . import documents
from . import kinds
from . import paging
from .access import admit
from .access import key_of
from .manifest import Content
from .manifest import content_of
from .manifest import find


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


def compare(name: str) -> str:
    """Show what is new in an image, what has gone, and what both share."""
    repository = admit(name)
    key = key_of(repository)
    references = paging.parameter("from"), paging.parameter("to")
    wanted = paging.parameter("platform")
    tags = services().catalog.tags.page(key, 200, None)
    sides: list[Side] = []
    platforms: list[str] = []
    for reference in references if all(references) else ():
        row, _ = find(key, reference)
        here = _platforms(row)
        # The second one follows the first in what it is for.
        wanted = wanted if wanted in here else next(iter(here), "")
        sides.append(_side(key, reference, row, here, wanted))
        platforms = (
            list(here) if len(sides) == 1 else [p for p in platforms if p in here]
        )
    return render_template(
        "oci/compare.html",
        repository=repository,
        references=references,
        tags=tags,
        platform=wanted,
        platforms=platforms,
        difference=_difference(*sides) if sides else None,
    )


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
    return dict(config.facts) if config else dict(side.content.chart)


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
        contents = services().catalog.contents
        digest = platforms[wanted]
        row = contents.manifests(repository_id, [digest], whole=True).get(digest, row)
    kind = kinds.recognise(row.media_type, row.artifact_type)
    return Side(reference, wanted, content_of(repository_id, row, kind))
