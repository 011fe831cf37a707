"""The page of an image or another manifest."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from flask import Response

from ..catalog import RepositoryInfo
from ..catalog.manifest_relations import PullSize
from ..catalog.manifest_relations import Weight
from ..catalog.manifest_relations import WEIGHTLESS
from ..catalog.repository_contents import ManifestRow
from ..core import artifact_types
from ..core import documents
from ..core import image_config
from ..core import image_links
from ..core import json_text
from ..core.documents import Descriptor
from ..core.pull_commands import pull_commands
from ..core.summaries import kind_of
from ..operations.retention import RetentionRunner
from ..services import services
from ..spec.manifest import IMAGE_CONFIGS
from ..spec.manifest import INDEX_TYPES
from . import paging
from .access import authorize
from .access import may
from .attachments import attachments
from .attachments import signatures_in
from .files import open_file
from .manifest_lookup import find
from .rendering import Page
from .rendering import render
from .repository import image_name

if t.TYPE_CHECKING:
    from ..rules.retention import RetentionDecision

#: The maximum length of a manifest on the page, in characters. A link leads to all.
MAX_TEXT_LENGTH: t.Final = 100_000

#: The maximum number of tags of an image whose deletion is announced.
MAX_DELETIONS: t.Final = 10


@dataclass(frozen=True, slots=True)
class Child:
    """One image of an index."""

    descriptor: Descriptor
    bytes: int
    """The size of the blobs that it needs; 0 if the repository lacks the image."""

    pulled_at: datetime | None
    """When it was last pulled, if ever."""


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a manifest: an image, a chart or files."""

    manifest: ManifestRow
    kind: artifact_types.ArtifactKind
    config: image_config.ImageConfig | None
    layers: list[image_config.Layer]
    files: list[Descriptor]
    chart: documents.Pairs
    about: dict[str, str]
    """The labels of an image, or the properties of a chart."""

    left_out: int
    """The number of layers that are not shown."""


def manifest(name: str, reference: str) -> Page:
    """Show an image, by tag or by digest."""
    repository = authorize(name)
    key, catalog = repository.key, services().catalog
    row, tag = find(key, reference)
    fields = documents.as_object(row.content)
    weight = catalog.manifest_relations.weights(key, [row.id]).get(row.id, WEIGHTLESS)
    kind = kind_of(row, weight)
    children = _children(key, fields) if row.media_type in INDEX_TYPES else []
    selected = _selected(key, children) if kind == artifact_types.INDEX else None
    shown, shown_kind = (selected, artifact_types.IMAGE) if selected else (row, kind)
    parents = catalog.manifest_relations.parents(key, row.digest)
    tags = catalog.repository_contents.tag_names(key, [row.digest, *parents])
    subjects = [row.digest] if selected is None else [row.digest, selected.digest]
    text, is_truncated = json_text.pretty(row.content or b"", MAX_TEXT_LENGTH)
    content = content_of(key, shown, shown_kind, None if selected else fields)
    about = [row.annotations, shown.annotations, content.about]
    may_manage = may("manage", repository)
    attestations = [c.descriptor for c in children if c.descriptor.is_attestation]
    return render(
        "oci/manifest.html",
        repository=repository,
        reference=reference,
        tag=tag,
        row=row,
        kind=kind,
        bytes=weight.bytes,
        pull=_pull(weight, selected, children),
        pushed_by=catalog.users.names([row.pushed_by_id]).get(row.pushed_by_id, ""),
        children_left_out=documents.excess(fields.get("manifests")),
        images=[c for c in children if not c.descriptor.is_attestation],
        attachments=attachments(repository, subjects, attestations),
        content=content,
        file=open_file(repository, row.digest, content.files),
        links=image_links.links(*about),
        description=image_links.description(*about),
        annotations=documents.pairs(row.annotations),
        parents=[(digest, tags.get(digest, [])) for digest in parents],
        tags=tags.get(row.digest, []),
        text=text,
        is_truncated=is_truncated,
        signatures=signatures_in(repository, row, tag),
        policy=[
            verdict
            for verdict in services().content.policies.verdicts(
                repository, row.digest, row.media_type, tag
            )
            if verdict.result in ("refused", "warning")
        ],
        may_delete=may("delete", repository),
        may_manage=may_manage,
        deletions=_deletions(repository, row, tag, children)
        if may_manage and (tags.get(row.digest) or not parents)
        else [],
        blocks=services().blocks.applying(repository, row.digest),
        commands=pull_commands(kind, image_name(repository.name), tag, row.digest),
    )


def raw(name: str, digest: str) -> Response:
    """Send the original bytes of a manifest, as plain text."""
    repository = authorize(name)
    row, _ = find(repository.key, digest)
    services().blocks.check(repository, row.digest)
    response = Response(row.content, mimetype="text/plain")
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def content_of(
    repository_id: int,
    row: ManifestRow,
    kind: artifact_types.ArtifactKind,
    fields: dict[str, t.Any] | None = None,
) -> Content:
    """Return the content of a manifest, with a limit on each part.

    :param fields: the JSON of the manifest, or None to read it.
    """
    if fields is None:
        fields = documents.as_object(row.content)
    shown = documents.descriptors(documents.objects(fields.get("layers")))
    config, chart = None, []
    if row.artifact_type in IMAGE_CONFIGS or kind == artifact_types.CHART:
        blob = services().documents.config_of(repository_id, fields)
        if kind == artifact_types.CHART:
            keys = ("name", "version", "appVersion", "type", "description", "home")
            chart = [(k, documents.text(blob.get(k))) for k in keys if blob.get(k)]
        else:
            config = image_config.parse(blob)
    shows_layers = config is not None and kind == artifact_types.IMAGE
    return Content(
        manifest=row,
        kind=kind,
        config=config if shows_layers else None,
        layers=image_config.layers(shown, config.history if config else [])
        if shows_layers
        else [],
        files=[] if shows_layers else shown,
        chart=chart,
        about=dict(chart or (config.labels if config else [])),
        left_out=documents.excess(fields.get("layers")),
    )


def _deletions(
    repository: RepositoryInfo, row: ManifestRow, tag: str | None, children: list[Child]
) -> list[RetentionDecision]:
    """Return the announced deletions of an image by retention rules.

    :param tag: the tag of the page; None is all tags of the image.
    """
    parts = services()
    runner = RetentionRunner(parts.config, parts.hooks, parts.catalog, parts.documents)
    pulls = [row.pulled_at, *(child.pulled_at for child in children)]
    last = max((moment for moment in pulls if moment), default=None)
    found = runner.of_image(repository, row.digest, last)
    wanted = [each for each in found if tag is None or each.tag == tag]
    return [each for each in wanted if each.deleted or each.due_at][:MAX_DELETIONS]


def _pull(
    weight: Weight, selected: ManifestRow | None, children: list[Child]
) -> PullSize:
    """Return the size of a pull: of the selected platform, if there is one."""
    if selected is None:
        return weight.pull
    found = next(c.bytes for c in children if c.descriptor.digest == selected.digest)
    return PullSize(found, found)


def _children(repository_id: int, fields: dict[str, t.Any]) -> list[Child]:
    found = documents.descriptors(documents.objects(fields.get("manifests")))
    catalog = services().catalog
    digests = [descriptor.digest for descriptor in found]
    rows = catalog.repository_contents.manifests(repository_id, digests)
    weights = catalog.manifest_relations.weights(
        repository_id, [m.id for m in rows.values()]
    )
    children = []
    for descriptor in found:
        row = rows.get(descriptor.digest)
        weight = weights.get(row.id) if row else None
        pulled_at = row.pulled_at if row else None
        children.append(Child(descriptor, weight.bytes if weight else 0, pulled_at))
    return children


def _selected(repository_id: int, children: list[Child]) -> ManifestRow | None:
    """Return the image of an index that the visitor selected, or the first."""
    images = [c.descriptor.digest for c in children if not c.descriptor.is_attestation]
    parameter = paging.parameter("platform")
    digest = parameter if parameter in images else next(iter(images), "")
    found = services().catalog.repository_contents.manifests(
        repository_id, [digest], whole=True
    )
    return found.get(digest)
