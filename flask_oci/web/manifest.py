"""The page of an image, or of whatever else a manifest is."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from flask import abort
from flask import render_template
from flask import Response

from ..catalog.manifest_relations import Weight
from ..catalog.repository_contents import ManifestRow
from ..core import artifact_types
from ..core import documents
from ..core import image_config
from ..core.documents import Descriptor
from ..core.summaries import kind_of
from ..errors import RegistryError
from ..services import services
from ..spec.digest import Digest
from ..spec.manifest import IMAGE_CONFIGS
from ..spec.manifest import INDEX_TYPES
from ..spec.reference import parse_reference
from . import paging
from .access import admit
from .repository import image_name

#: How many characters of a manifest are on the page; the rest is a click away.
SHOWN: t.Final = 100_000

#: How many of the things that refer to an image are listed.
ATTACHED: t.Final = 100


@dataclass(frozen=True, slots=True)
class Child:
    """One image of an index."""

    descriptor: Descriptor
    bytes: int
    """Of it and what it needs; 0 where it is not here."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a manifest describes: an image, or files."""

    manifest: ManifestRow
    kind: artifact_types.Kind
    config: image_config.ImageConfig | None
    layers: list[image_config.Layer]
    files: list[Descriptor]
    chart: documents.Pairs
    left_out: int
    """How many of its layers are not shown."""


def manifest(name: str, reference: str) -> str:
    """Show an image, by tag or by digest."""
    repository = admit(name)
    key, catalog = repository.key, services().catalog
    row, tag = find(key, reference)
    fields = documents.as_object(row.content)
    weight = catalog.manifest_relations.weights(key, [row.id]).get(
        row.id, Weight(0, None, "")
    )
    kind = kind_of(row, weight)
    children = _children(key, fields) if row.media_type in INDEX_TYPES else []
    chosen = _chosen(key, children) if kind == artifact_types.INDEX else None
    shown, shown_kind = (chosen, artifact_types.IMAGE) if chosen else (row, kind)
    parents = catalog.manifest_relations.parents(key, row.digest)
    tags = catalog.repository_contents.tag_names(key, [row.digest, *parents])
    subjects = [row.digest] if chosen is None else [row.digest, chosen.digest]
    referrers = catalog.manifest_relations.referrers(key, subjects)
    text = json.dumps(fields, indent=2, ensure_ascii=False)
    attached = [r for subject in subjects for r in referrers.get(subject, ())]
    return render_template(
        "oci/manifest.html",
        repository=repository,
        reference=reference,
        tag=tag,
        row=row,
        kind=kind,
        bytes=weight.bytes,
        pushed_by=catalog.users.names([row.pushed_by_id]).get(row.pushed_by_id, ""),
        children_left_out=max(
            len(documents.objects(fields.get("manifests"))) - documents.MOST, 0
        ),
        images=[c for c in children if not c.descriptor.is_attestation],
        attestations=[c for c in children if c.descriptor.is_attestation],
        content=content_of(key, shown, shown_kind),
        annotations=sorted(row.annotations.items()),
        referrers=[
            (artifact_types.recognise(r.media_type, r.artifact_type), r)
            for r in attached[:ATTACHED]
        ],
        unlisted=max(
            catalog.manifest_relations.count_referrers(key, subjects) - ATTACHED, 0
        ),
        parents=[(digest, tags.get(digest, [])) for digest in parents],
        tags=tags.get(row.digest, []),
        text=text[:SHOWN],
        is_cut=len(text) > SHOWN,
        commands=artifact_types.commands(
            kind, image_name(repository.name), ":" if tag else "@", tag or row.digest
        ),
    )


def raw(name: str, digest: str) -> Response:
    """Send the bytes of a manifest as they were pushed, as text."""
    row, _ = find(admit(name).key, digest)
    response = Response(row.content, mimetype="text/plain")
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def find(repository_id: int, reference: str) -> tuple[ManifestRow, str | None]:
    """Return what a tag or a digest names, whole, and the tag if it was one; 404."""
    contents = services().catalog.repository_contents
    try:
        wanted = parse_reference(reference)
    except RegistryError:
        abort(404)
    if isinstance(wanted, Digest):
        found = contents.manifests(repository_id, [reference], whole=True)
        row = found.get(reference)
        return (row, None) if row else abort(404)
    tagged = contents.tagged(repository_id, wanted)
    return (tagged.manifest, tagged.name) if tagged else abort(404)


def content_of(
    repository_id: int, row: ManifestRow, kind: artifact_types.Kind
) -> Content:
    """Read what a manifest describes, with a bound on each part of it."""
    fields = documents.as_object(row.content)
    described = documents.descriptors(documents.objects(fields.get("layers")))
    found = described[: documents.MOST]
    config, chart = None, []
    if row.artifact_type in IMAGE_CONFIGS or kind == artifact_types.CHART:
        read = services().documents.config_of(repository_id, fields)
        if kind == artifact_types.CHART:
            wanted = ("name", "version", "appVersion", "type", "description", "home")
            chart = [(k, documents.text(read.get(k))) for k in wanted if read.get(k)]
        else:
            config = image_config.parse(read)
    shows_layers = config is not None and kind == artifact_types.IMAGE
    return Content(
        manifest=row,
        kind=kind,
        config=config if shows_layers else None,
        layers=image_config.layers(found, config.history if config else [])
        if shows_layers
        else [],
        files=[] if shows_layers else found,
        chart=chart,
        left_out=len(described) - len(found),
    )


def _children(repository_id: int, fields: dict[str, t.Any]) -> list[Child]:
    found = documents.descriptors(documents.objects(fields.get("manifests")))
    found = found[: documents.MOST]
    catalog = services().catalog
    digests = [descriptor.digest for descriptor in found]
    here = catalog.repository_contents.manifests(repository_id, digests, content=False)
    weights = catalog.manifest_relations.weights(
        repository_id, [m.id for m in here.values()]
    )
    children = []
    for descriptor in found:
        row = here.get(descriptor.digest)
        weight = weights.get(row.id) if row else None
        children.append(Child(descriptor, weight.bytes if weight else 0))
    return children


def _chosen(repository_id: int, children: list[Child]) -> ManifestRow | None:
    """Return the image of an index that the visitor chose, or the first."""
    images = [c.descriptor.digest for c in children if not c.descriptor.is_attestation]
    wanted = paging.parameter("platform")
    digest = wanted if wanted in images else next(iter(images), "")
    found = services().catalog.repository_contents.manifests(
        repository_id, [digest], whole=True
    )
    return found.get(digest)
