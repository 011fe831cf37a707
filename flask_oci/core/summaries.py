"""Summaries of tags and manifests: kind, size, platforms and what is attached."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..catalog.manifest_relations import Weight
from ..catalog.repository_contents import ManifestRow
from ..catalog.repository_contents import TagRow
from ..spec.manifest import INDEX_TYPES
from . import artifact_types
from . import documents
from .documents import Documents

if t.TYPE_CHECKING:
    from ..catalog import Catalog


@dataclass(frozen=True, slots=True)
class Entry:
    """The summary of a tag or an untagged manifest."""

    row: TagRow
    kind: artifact_types.ArtifactKind
    bytes: int
    platforms: list[str]
    attached: list[artifact_types.ArtifactKind]
    """The types of attached artifacts: signatures, SBOMs, attestations."""

    pushed_by: str

    @property
    def reference(self) -> str:
        """The tag, or else the digest."""
        return self.row.name or self.row.manifest.digest


class _Shared(t.NamedTuple):
    """The data that the summaries of some manifests share."""

    weights: dict[int, Weight]
    types: dict[str, set[str]]
    """The artifact types of referrers, by the digest of their subject."""

    signed: set[str]
    """The existing tags of cosign signatures."""

    readable: set[str]
    """The digests of configs that the repository links."""

    pushers: dict[t.Any, str]


class Summaries:
    """Summarizes tags and manifests for lists.

    :param catalog: the catalog of the registry.
    :param documents: reads the configs of images.
    """

    def __init__(self, catalog: Catalog, documents: Documents) -> None:
        self._catalog = catalog
        self._documents = documents

    def of(self, repository_id: int, rows: list[TagRow]) -> list[Entry]:
        """Return the summaries of some tags of a repository, in their order.

        The number of statements does not depend on the number of tags. One small
        config is read for each image.
        """
        catalog = self._catalog
        manifests = [row.manifest for row in rows]
        weights = catalog.manifest_relations.weights(
            repository_id, [m.id for m in manifests]
        )
        digests = [m.digest for m in manifests]
        shared = _Shared(
            weights=weights,
            types=catalog.manifest_relations.referrer_types(repository_id, digests),
            signed=catalog.repository_contents.existing_tags(
                repository_id, [_cosign_tag(digest, "sig") for digest in digests]
            ),
            readable=catalog.manifest_relations.linked(
                repository_id, [w.config[1] for w in weights.values() if w.config]
            ),
            pushers=catalog.users.names(m.pushed_by_id for m in manifests),
        )
        return [self._entry(row, shared) for row in rows]

    def _entry(self, row: TagRow, shared: _Shared) -> Entry:
        manifest = row.manifest
        weight = shared.weights.get(manifest.id, Weight(0, None, ""))
        kind = kind_of(manifest, weight)
        children = (
            documents.descriptors(_children(manifest))
            if kind == artifact_types.INDEX
            else []
        )
        platforms = [
            c.platform for c in children if not c.is_attestation and c.platform
        ]
        if (
            kind == artifact_types.IMAGE
            and weight.config
            and weight.config[1] in shared.readable
        ):
            config = self._documents.read(weight.config[1], documents.SMALL_CONFIG)
            platforms = [p for p in [documents.platform(config)] if p]
        return Entry(
            row,
            kind,
            weight.bytes,
            platforms,
            _attached(manifest, children, shared),
            shared.pushers.get(manifest.pushed_by_id, ""),
        )


def _attached(
    manifest: ManifestRow, children: list[documents.Descriptor], shared: _Shared
) -> list[artifact_types.ArtifactKind]:
    """Return the types of the artifacts that are attached to a manifest."""
    found = {
        artifact_types.recognise(manifest.media_type, artifact_type)
        for artifact_type in shared.types.get(manifest.digest, ())
    }
    if _cosign_tag(manifest.digest, "sig") in shared.signed:
        found.add(artifact_types.SIGNATURE)
    if any(child.is_attestation for child in children):
        found.add(artifact_types.ATTESTATION)
    return sorted(found, key=lambda kind: kind.label)


def kind_of(manifest: ManifestRow, weight: Weight) -> artifact_types.ArtifactKind:
    """Return the type of a manifest's artifact."""
    return artifact_types.recognise(
        manifest.media_type, manifest.artifact_type, weight.layer_type
    )


def _children(manifest: ManifestRow) -> list[dict[str, t.Any]]:
    if manifest.media_type not in INDEX_TYPES:
        return []
    return documents.objects(documents.as_object(manifest.content).get("manifests"))


def _cosign_tag(digest: str, suffix: str) -> str:
    return f"{digest.replace(':', '-')}.{suffix}"
