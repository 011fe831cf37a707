"""Summaries of tags and manifests: kind, size, platforms and what is attached."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..catalog.manifest_relations import PullSize
from ..catalog.manifest_relations import Weight
from ..catalog.manifest_relations import WEIGHTLESS
from ..catalog.repository_contents import ManifestRow
from ..catalog.repository_contents import TagRow
from ..spec.manifest import INDEX_TYPES
from . import artifact_types
from . import documents
from .documents import Documents

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from ..catalog import Catalog

Key = t.TypeVar("Key")


#: The types of the artifacts that cosign attaches by a tag, by the end of the tag.
COSIGN_SUFFIXES: t.Final = {
    "sig": artifact_types.SIGNATURE,
    "att": artifact_types.ATTESTATION,
    "sbom": artifact_types.SBOM,
}

#: The maximum size of an index that is read for a list, in bytes.
SMALL_INDEX: t.Final = 64 * 1024

#: The maximum total size of the indexes and configs that are read for one list, in
#: bytes. Further entries are listed without platforms.
LIST_BYTES: t.Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """The summary of a tag or an untagged manifest."""

    row: TagRow
    kind: artifact_types.ArtifactKind
    bytes: int
    """The size of all blobs that it needs, of every platform."""

    pull: PullSize
    platforms: list[str]
    children: list[documents.Descriptor]
    """The first entries of an index."""

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
    types: dict[str, set[tuple[str, str]]]
    """The artifact types and predicate types of referrers, by the digest of their
    subject."""

    tags: set[str]
    """The existing tags by which cosign attaches artifacts to the manifests."""

    children: dict[str, list[documents.Descriptor]]
    """The first entries of the indexes, by the digest of the index."""

    platforms: dict[str, str]
    """The platforms of images, by the digest of the config."""

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

        The number of statements does not depend on the number of tags. Each index and
        each config is read once, up to a total of :data:`LIST_BYTES`.
        """
        catalog = self._catalog
        manifests = list({row.manifest.id: row.manifest for row in rows}.values())
        weights = catalog.manifest_relations.weights(
            repository_id, [m.id for m in manifests]
        )
        digests = [m.digest for m in manifests]
        children, left = self._children(manifests)
        attaching = [cosign_tag(d, s) for d in digests for s in COSIGN_SUFFIXES]
        shared = _Shared(
            weights=weights,
            types=catalog.manifest_relations.referrer_types(repository_id, digests),
            tags=catalog.repository_contents.existing_tags(repository_id, attaching),
            children=children,
            platforms=self._platforms(repository_id, manifests, weights, left),
            pushers=catalog.users.names(m.pushed_by_id for m in manifests),
        )
        return [self._entry(row, shared) for row in rows]

    def kind(
        self, repository_id: int, manifest: ManifestRow
    ) -> artifact_types.ArtifactKind:
        """Return the type of a manifest's artifact."""
        weights = self._catalog.manifest_relations.weights(repository_id, [manifest.id])
        return kind_of(manifest, weights.get(manifest.id, WEIGHTLESS))

    def _children(
        self, manifests: Sequence[ManifestRow]
    ) -> tuple[dict[str, list[documents.Descriptor]], int]:
        """Return the first entries of the indexes, by digest, and the number of bytes
        that the list may read further."""
        indexes = [m for m in manifests if m.media_type in INDEX_TYPES]
        small = [m for m in indexes if m.content is None and m.size <= SMALL_INDEX]
        wanted, left = _fitting([(m.id, m.size) for m in small], LIST_BYTES)
        contents = self._catalog.repository_contents.contents(wanted) if wanted else {}
        return {
            m.digest: documents.children(m.content or contents.get(m.id))
            for m in indexes
        }, left

    def _platforms(
        self,
        repository_id: int,
        manifests: Sequence[ManifestRow],
        weights: dict[int, Weight],
        left: int,
    ) -> dict[str, str]:
        """Return the platforms of images, by the digest of the config.

        :param left: the number of bytes that the list may read.
        """
        configs: dict[str, int] = {}
        for manifest in manifests:
            weight = weights.get(manifest.id, WEIGHTLESS)
            if weight.config and kind_of(manifest, weight) == artifact_types.IMAGE:
                _, digest, size = weight.config
                configs[digest] = size
        small = [(d, s) for d, s in configs.items() if s <= documents.SMALL_CONFIG]
        wanted, _ = _fitting(small, left)
        linked = self._catalog.manifest_relations.linked(repository_id, wanted)
        found = {
            digest: documents.platform(
                self._documents.read(linked[digest], documents.SMALL_CONFIG)
            )
            for digest in wanted
            if digest in linked
        }
        return {digest: platform for digest, platform in found.items() if platform}

    def _entry(self, row: TagRow, shared: _Shared) -> Entry:
        manifest = row.manifest
        weight = shared.weights.get(manifest.id, WEIGHTLESS)
        kind = kind_of(manifest, weight)
        children = shared.children.get(manifest.digest, [])
        platforms = []
        if kind == artifact_types.INDEX:
            platforms = [
                c.platform for c in children if not c.is_attestation and c.platform
            ]
        elif weight.config and weight.config[1] in shared.platforms:
            platforms = [shared.platforms[weight.config[1]]]
        return Entry(
            row,
            kind,
            weight.bytes,
            weight.pull,
            platforms,
            children,
            _attached(manifest, children, shared),
            shared.pushers.get(manifest.pushed_by_id, ""),
        )


def _fitting(found: Iterable[tuple[Key, int]], left: int) -> tuple[list[Key], int]:
    """Return the keys of the documents that fit into a number of bytes, and the number
    of bytes that are left.

    :param found: the key and the size of each document.
    """
    fitting = []
    for key, size in found:
        if size <= left:
            fitting.append(key)
            left -= size
    return fitting, left


def _attached(
    manifest: ManifestRow, children: list[documents.Descriptor], shared: _Shared
) -> list[artifact_types.ArtifactKind]:
    """Return the types of the artifacts that are attached to a manifest."""
    found = {
        artifact_types.recognise_referrer(manifest.media_type, *types)
        for types in shared.types.get(manifest.digest, ())
    }
    for suffix, kind in COSIGN_SUFFIXES.items():
        if cosign_tag(manifest.digest, suffix) in shared.tags:
            found.add(kind)
    if any(child.is_attestation for child in children):
        found.add(artifact_types.ATTESTATION)
    return sorted(found, key=lambda kind: kind.label)


def kind_of(manifest: ManifestRow, weight: Weight) -> artifact_types.ArtifactKind:
    """Return the type of a manifest's artifact."""
    return artifact_types.recognise(
        manifest.media_type, manifest.artifact_type, weight.layer_type
    )


def cosign_tag(digest: str, suffix: str) -> str:
    """Return the tag that cosign gives to an artifact about a manifest.

    :param digest: the digest of the manifest.
    :param suffix: ``sig``, ``att`` or ``sbom``.
    """
    return f"{digest.replace(':', '-')}.{suffix}"
