"""The page of a repository: its tags, and what to type to pull one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from flask import render_template
from flask import request

from ..catalog.contents import ManifestRow
from ..catalog.contents import TagRow
from ..catalog.overview import Listed
from ..catalog.relations import Weight
from ..manifests import INDEX_TYPES
from ..services import services
from . import documents
from . import kinds
from . import paging
from .access import admit
from .access import may
from .usage import in_progress

#: How much of a description in an annotation is shown.
LONGEST: t.Final = 2000

#: What of a repository the list shows.
Shown = t.Literal["tags", "untagged", "attached"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A tag, or a manifest without one, as the list shows it."""

    row: TagRow
    kind: kinds.Kind
    bytes: int
    platforms: list[str]
    attached: list[kinds.Kind]
    """What there is beside it: signatures, SBOMs, attestations."""

    pushed_by: str

    @property
    def reference(self) -> str:
        """What it is found by."""
        return self.row.name or self.row.manifest.digest


class _Known(t.NamedTuple):
    """What is known of what some tags point at."""

    weights: dict[int, Weight]
    types: dict[str, set[str]]
    """The artifact types of what refers to a manifest, by its digest."""

    signed: set[str]
    """The tags under which cosign puts a signature."""

    readable: set[str]
    """The digests of configs that the repository has."""

    pushers: dict[t.Any, str]


def repository(name: str) -> str:
    """Show a repository to who may pull from it."""
    found = admit(name)
    catalog, key = services().catalog, found.key
    show = t.cast(Shown, paging.parameter("show"))
    show = show if show in ("untagged", "attached") else "tags"
    search = paging.parameter("q") if show == "tags" else ""
    by_name = paging.parameter("sort") == "name"
    if show == "untagged":
        rows = catalog.contents.untagged(key, paging.PAGE + 1, paging.behind())
    else:
        rows = catalog.contents.tags(
            key,
            paging.PAGE + 1,
            search=search,
            attached=show == "attached",
            newest_first=not by_name,
            behind=paging.behind(),
        )
    listed = entries(key, rows[: paging.PAGE])
    about = catalog.overview.about(key)
    may_push = may("push", found)
    return render_template(
        "oci/repository.html",
        repository=found,
        about=about,
        owner=catalog.users.names([found.owner_id]).get(found.owner_id, ""),
        figures=catalog.overview.figures([key])[key],
        entries=listed,
        show=show,
        search=search,
        by_name=by_name,
        next_page=_next_page(rows),
        commands=_commands(found.name, listed),
        description=_description(about, listed),
        may_delete=may("delete", found),
        protection=services().config.protection | catalog.rules.protection(key),
        uploads=sum(u.in_progress for u in in_progress(key)) if may_push else 0,
    )


def entries(repository_id: int, rows: list[TagRow]) -> list[Entry]:
    """Add to some tags what is known of what they point at.

    Some statements, whatever the number of tags, and a small file for each.
    """
    catalog = services().catalog
    manifests = [row.manifest for row in rows]
    weights = catalog.relations.weights(repository_id, [m.id for m in manifests])
    digests = [m.digest for m in manifests]
    known = _Known(
        weights=weights,
        types=catalog.relations.referrer_types(repository_id, digests),
        signed=catalog.contents.existing_tags(
            repository_id, [_cosign_tag(digest, "sig") for digest in digests]
        ),
        readable=catalog.relations.linked(
            repository_id, [w.config[1] for w in weights.values() if w.config]
        ),
        pushers=catalog.users.names(m.pushed_by_id for m in manifests),
    )
    return [_entry(row, known) for row in rows]


def _entry(row: TagRow, known: _Known) -> Entry:
    manifest = row.manifest
    weight = known.weights.get(manifest.id, Weight(0, None, ""))
    kind = kind_of(manifest, weight)
    children = documents.descriptors(_children(manifest)) if kind == kinds.INDEX else []
    platforms = [c.platform for c in children if not c.is_attestation and c.platform]
    if kind == kinds.IMAGE and weight.config and weight.config[1] in known.readable:
        config = documents.read(weight.config[1], documents.SMALL_CONFIG)
        platforms = [p for p in [documents.platform(config)] if p]
    return Entry(
        row,
        kind,
        weight.bytes,
        platforms,
        _attached(manifest, children, known),
        known.pushers.get(manifest.pushed_by_id, ""),
    )


def _attached(
    manifest: ManifestRow, children: list[documents.Descriptor], known: _Known
) -> list[kinds.Kind]:
    """Return what there is beside a manifest, each kind of it once."""
    found = {
        kinds.recognise(manifest.media_type, artifact_type)
        for artifact_type in known.types.get(manifest.digest, ())
    }
    if _cosign_tag(manifest.digest, "sig") in known.signed:
        found.add(kinds.SIGNATURE)
    if any(child.is_attestation for child in children):
        found.add(kinds.ATTESTATION)
    return sorted(found, key=lambda kind: kind.label)


def kind_of(manifest: ManifestRow, weight: Weight) -> kinds.Kind:
    """Return what a manifest is for."""
    return kinds.recognise(
        manifest.media_type, manifest.artifact_type, weight.layer_type
    )


def image_name(name: str) -> str:
    """Return a repository's name with the registry's host in front."""
    external = services().config.external_url
    host = external.partition("://")[2].partition("/")[0] if external else request.host
    return f"{host}/{name}"


def _description(about: Listed | None, listed: list[Entry]) -> str:
    """Return what is said about a repository, or about its first image."""
    if about is not None and about.description:
        return about.description
    notes = listed[0].row.manifest.annotations if listed else {}
    return notes.get("org.opencontainers.image.description", "")[:LONGEST]


def _children(manifest: ManifestRow) -> list[dict[str, t.Any]]:
    if manifest.media_type not in INDEX_TYPES:
        return []
    return documents.objects(documents.as_object(manifest.content).get("manifests"))


def _cosign_tag(digest: str, suffix: str) -> str:
    return f"{digest.replace(':', '-')}.{suffix}"


def _commands(name: str, listed: list[Entry]) -> dict[str, str]:
    """Return what to type to have what is first in the list."""
    if not listed:
        return {}
    first = listed[0]
    separator = "@" if first.row.name is None else ":"
    return kinds.commands(first.kind, image_name(name), separator, first.reference)


def _next_page(rows: list[TagRow]) -> str | None:
    if len(rows) <= paging.PAGE:
        return None
    last = rows[paging.PAGE - 1]
    return paging.next_page(last.name or last.manifest.digest, last.moved_at)
