"""What a manifest is for: an image, a chart, a signature, a cache, …

An image manifest can be anything. Its artifact type, or the type of its config where
it has none, or that of its layers, says what (image-spec, manifest.md, "Guidelines
for Artifact Usage").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..spec.manifest import IMAGE_CONFIGS
from ..spec.manifest import INDEX_TYPES
from .messages import marked


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of artifact."""

    key: str
    label: str
    """What it is called, in English."""


IMAGE: t.Final = Kind("image", marked("Image"))
INDEX: t.Final = Kind("index", marked("Image"))
CHART: t.Final = Kind("chart", marked("Helm chart"))
WASM: t.Final = Kind("wasm", marked("WebAssembly"))
CACHE: t.Final = Kind("cache", marked("Build cache"))
SIGNATURE: t.Final = Kind("signature", marked("Signature"))
SBOM: t.Final = Kind("sbom", marked("SBOM"))
ATTESTATION: t.Final = Kind("attestation", marked("Attestation"))
ARTIFACT: t.Final = Kind("artifact", marked("Artifact"))

#: What media types have in them, and what that makes of the manifest. The first that
#: is found counts: a bundle of Sigstore's may hold either of two things.
_MARKS: t.Final = (
    ("cosign.simplesigning", SIGNATURE),
    ("cosign.artifact.sig", SIGNATURE),
    ("cncf.notary.signature", SIGNATURE),
    ("dsse.envelope", ATTESTATION),
    ("in-toto", ATTESTATION),
    ("sigstore.bundle", SIGNATURE),
    ("spdx", SBOM),
    ("cyclonedx", SBOM),
    ("syft", SBOM),
    ("cosign.artifact.sbom", SBOM),
    ("buildkit.cacheconfig", CACHE),
    ("cncf.helm", CHART),
    ("wasm", WASM),
)


def recognise(media_type: str, artifact_type: str, content_type: str = "") -> Kind:
    """Return what a manifest is for.

    :param media_type: its own.
    :param artifact_type: its artifact type, or the media type of its config.
    :param content_type: the media type of a layer, or of a child that is no manifest.
    """
    found = _marked(artifact_type) or _marked(content_type)
    if found is not None:
        return found
    if media_type in INDEX_TYPES and not artifact_type:
        return INDEX
    return IMAGE if artifact_type in IMAGE_CONFIGS else ARTIFACT


def _marked(media_type: str) -> Kind | None:
    text = media_type.lower()
    return next((kind for mark, kind in _MARKS if mark in text), None)


def commands(kind: Kind, image: str, separator: str, reference: str) -> dict[str, str]:
    """Return what to type to have something, by the program that does it.

    :param image: the host and the name of the repository.
    :param separator: ``:`` before a tag, and ``@`` before a digest.
    :param reference: the tag or digest.
    """
    whole = f"{image}{separator}{reference}"
    if kind in (IMAGE, INDEX):
        return {
            "docker": f"docker pull {whole}",
            "podman": f"podman pull {whole}",
        }
    if kind == CHART:
        version = f" --version {reference}" if separator == ":" else f"@{reference}"
        return {"helm": f"helm pull oci://{image}{version}"}
    if kind == CACHE:
        return {
            "buildx": f"docker buildx build --cache-from type=registry,ref={whole} ."
        }
    return {"oras": f"oras pull {whole}"}
