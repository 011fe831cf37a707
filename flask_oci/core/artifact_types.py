"""The types of artifacts: images, charts, signatures, caches and others.

An image manifest can describe any artifact. The type follows from its artifact type,
or else from the media type of its config, or of its layers (image-spec, manifest.md,
"Guidelines for Artifact Usage").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..spec.manifest import IMAGE_CONFIGS
from ..spec.manifest import INDEX_TYPES
from .messages import marked


@dataclass(frozen=True, slots=True)
class ArtifactKind:
    """A type of artifact."""

    key: str
    label: str
    """The name of the type, in English."""


IMAGE: t.Final = ArtifactKind("image", marked("Image"))
INDEX: t.Final = ArtifactKind("index", marked("Image"))
CHART: t.Final = ArtifactKind("chart", marked("Helm chart"))
WASM: t.Final = ArtifactKind("wasm", marked("WebAssembly"))
CACHE: t.Final = ArtifactKind("cache", marked("Build cache"))
SIGNATURE: t.Final = ArtifactKind("signature", marked("Signature"))
SBOM: t.Final = ArtifactKind("sbom", marked("SBOM"))
ATTESTATION: t.Final = ArtifactKind("attestation", marked("Attestation"))
SCAN: t.Final = ArtifactKind("scan", marked("Scan report"))
ARTIFACT: t.Final = ArtifactKind("artifact", marked("Artifact"))

#: The types of content that lists of repositories show and filter by, with a label for
#: each. An index is an image; a signature is attached to one.
LISTED: t.Final = (IMAGE, CHART, WASM, CACHE, ARTIFACT)

#: Parts of media types, and the types of artifacts that have them. The first match
#: counts, because a Sigstore bundle may contain an attestation or a signature.
_MARKS: t.Final = (
    ("cosign.simplesigning", SIGNATURE),
    ("cosign.artifact.sig", SIGNATURE),
    ("cncf.notary.signature", SIGNATURE),
    ("sigstore.dev/cosign/sign", SIGNATURE),
    ("dsse.envelope", ATTESTATION),
    ("in-toto", ATTESTATION),
    ("sigstore.bundle", SIGNATURE),
    ("spdx", SBOM),
    ("cyclonedx", SBOM),
    ("syft", SBOM),
    ("cosign.artifact.sbom", SBOM),
    ("sarif", SCAN),
    ("trivy.report", SCAN),
    ("grype.report", SCAN),
    ("buildkit.cacheconfig", CACHE),
    ("cncf.helm", CHART),
    ("wasm", WASM),
)


def recognise(
    media_type: str, artifact_type: str, content_type: str = ""
) -> ArtifactKind:
    """Return the type of a manifest's artifact.

    :param media_type: the media type of the manifest.
    :param artifact_type: the artifact type, or the media type of the config.
    :param content_type: the media type of a layer, or of a child that is not a
        manifest.
    """
    found = _marked(artifact_type) or _marked(content_type)
    if found is not None:
        return found
    if media_type in INDEX_TYPES and not artifact_type:
        return INDEX
    return IMAGE if artifact_type in IMAGE_CONFIGS else ARTIFACT


def listed_kind(kind: ArtifactKind, *, is_attached: bool) -> str:
    """Return the key of the type in :data:`LISTED` that a manifest counts as; empty if
    it is attached to an image.

    :param is_attached: whether the manifest has a subject.
    """
    if kind == INDEX:
        kind = IMAGE
    return kind.key if kind in LISTED and not is_attached else ""


def recognise_referrer(
    media_type: str, artifact_type: str, predicate_type: str = ""
) -> ArtifactKind:
    """Return the type of a referrer's artifact.

    :param predicate_type: the predicate type of a Sigstore bundle, which contains a
        signature or another attestation.
    """
    if predicate_type:
        return _marked(predicate_type) or ATTESTATION
    return recognise(media_type, artifact_type)


def _marked(media_type: str) -> ArtifactKind | None:
    text = media_type.lower()
    return next((kind for mark, kind in _MARKS if mark in text), None)
