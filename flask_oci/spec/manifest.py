"""Manifests: parser and validation of image manifests and indexes.

The image-spec defines them in manifest.md and image-index.md. Docker's schema 2 is the
older form of both. The registry stores the bytes of a manifest as they were pushed and
never serializes a manifest itself.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ..errors import DigestInvalid
from ..errors import ManifestInvalid
from .digest import Digest
from .json_object import read_object

OCI_MANIFEST: t.Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: t.Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: t.Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: t.Final = "application/vnd.docker.distribution.manifest.list.v2+json"

MANIFEST_TYPES: t.Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES: t.Final = frozenset({OCI_INDEX, DOCKER_LIST})

#: The media types of an image config. Charts and signatures have others.
IMAGE_CONFIGS: t.Final = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)

#: The maximum number of descriptors in one manifest. Each of them costs a row, and real
#: manifests have at most some hundreds.
MAX_DESCRIPTORS: t.Final = 10_000

#: The largest size of a descriptor, in bytes: the largest integer on which all readers
#: of JSON agree (RFC 8259, section 6).
_MAX_SIZE = 2**53 - 1
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
    r"(?:[ \t]*;[\x20-\x7e]{0,120})?",
    re.ASCII,
)
_MEDIA_TYPE_LENGTH = 255
_MEDIA_TYPE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)
_FOREIGN_LAYER = re.compile(r"\.(?:foreign|nondistributable)\.", re.ASCII)

DescriptorKind = t.Literal["config", "layer", "child"]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """ "A Content Descriptor (or simply Descriptor) describes the disposition of
    the targeted content" (image-spec, descriptor.md).
    """

    kind: DescriptorKind
    media_type: str
    digest: Digest
    size: int
    """The size of the content in bytes."""

    foreign: bool = False
    """Whether it is a non-distributable layer with URLs, so that clients need not push
    its content."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of a manifest that the registry uses."""

    media_type: str
    descriptors: tuple[Descriptor, ...]
    subject: Digest | None
    artifact_type: str | None
    annotations: dict[str, str]


def parse(content: bytes, content_type: str | None) -> Manifest:
    """Return a validated manifest.

    The registry accepts any fields, platforms, config types and layer types, because an
    artifact may be anything that descriptors can describe.

    :param content: the body exactly as the client sent it.
    :param content_type: the ``Content-Type`` of the request. "The registry
        SHOULD ignore parameters on the `Content-Type` header" (spec.md, "Pushing
        Manifests").
    :raises ManifestInvalid: if two parsers could read the manifest differently, or if
        the registry could not store it.
    """
    fields = read_object(content)
    media_type = _media_type(fields, content_type)
    version = fields.get("schemaVersion")
    # In Python, 2.0 equals 2. Clients written in Go cannot parse 2.0 as an integer.
    if not isinstance(version, int) or version != 2:
        raise ManifestInvalid("'schemaVersion' must be 2.")
    is_index = media_type in INDEX_TYPES
    _refuse_ambiguity(fields, is_index)
    descriptors = _children(fields) if is_index else _config_and_layers(fields)
    return Manifest(
        media_type=media_type,
        descriptors=descriptors,
        subject=_subject(fields),
        artifact_type=_artifact_type(fields, descriptors),
        annotations=_annotations(fields),
    )


def _media_type(fields: dict[str, t.Any], content_type: str | None) -> str:
    declared = fields.get("mediaType")
    if declared is not None and not isinstance(declared, str):
        raise ManifestInvalid("'mediaType' must be a string.")
    sent = (content_type or "").partition(";")[0].strip()
    if sent and declared and sent != declared:
        raise ManifestInvalid(
            "The Content-Type of the request and 'mediaType' must be the same.",
            detail=declared,
        )
    media_type = sent or declared or ""
    if media_type not in MANIFEST_TYPES | INDEX_TYPES:
        raise ManifestInvalid(
            "Unsupported media type: push an OCI image manifest or index, or a Docker"
            " schema 2 manifest or list.",
            detail=media_type,
        )
    return media_type


def _refuse_ambiguity(fields: dict[str, t.Any], is_index: bool) -> None:
    foreign = ("config", "layers") if is_index else ("manifests",)
    for field in (*foreign, "fsLayers"):
        if field in fields:
            # CVE-2021-41190: the same bytes are a manifest to one parser and an index
            # to another.
            raise ManifestInvalid(
                f"A manifest of this media type must not have '{field}'."
            )


def _config_and_layers(fields: dict[str, t.Any]) -> tuple[Descriptor, ...]:
    config = _descriptor(fields.get("config"), "config", "config")
    return (config, *_descriptors(fields, "layers", "layer"))


def _children(fields: dict[str, t.Any]) -> tuple[Descriptor, ...]:
    return tuple(_descriptors(fields, "manifests", "child"))


def _descriptors(
    fields: dict[str, t.Any], field: str, kind: DescriptorKind
) -> t.Iterator[Descriptor]:
    entries = fields.get(field)
    if entries is None and (kind == "layer" or field in fields):
        # Go writes an empty list as null: BuildKit does for an image without layers
        # (moby/buildkit#4331), and other clients do for an index without manifests.
        return
    if not isinstance(entries, list):
        raise ManifestInvalid(f"'{field}' must be a list of descriptors.")
    if len(entries) > MAX_DESCRIPTORS:
        raise ManifestInvalid(f"'{field}' has more than {MAX_DESCRIPTORS} entries.")
    for position, entry in enumerate(entries):
        yield _descriptor(entry, kind, f"{field}[{position}]")


def _descriptor(entry: object, kind: DescriptorKind, place: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise ManifestInvalid(f"'{place}' must be a descriptor, a JSON object.")
    size = entry.get("size")
    if (
        isinstance(size, bool)
        or not isinstance(size, int)
        or not 0 <= size <= _MAX_SIZE
    ):
        raise ManifestInvalid(f"'{place}.size' must be a number of bytes.")
    urls = entry.get("urls")
    if urls is not None and not (
        isinstance(urls, list) and all(isinstance(url, str) for url in urls)
    ):
        raise ManifestInvalid(f"'{place}.urls' must be a list of URLs.")
    type_of = _layer_type_of if kind == "layer" else _media_type_of
    media_type = type_of(entry.get("mediaType"), f"{place}.mediaType")
    return Descriptor(
        kind=kind,
        media_type=media_type,
        digest=_digest(entry.get("digest"), f"{place}.digest"),
        size=size,
        foreign=bool(urls) and _FOREIGN_LAYER.search(media_type) is not None,
    )


def _media_type_of(value: object, place: str) -> str:
    if (
        not isinstance(value, str)
        or len(value) > _MEDIA_TYPE_LENGTH
        or not _MEDIA_TYPE.fullmatch(value)
    ):
        raise ManifestInvalid(f"'{place}' must be a media type (RFC 6838).")
    return value


def _layer_type_of(value: object, place: str) -> str:
    """Return the media type of a layer, which clients such as oras let their users
    write without a slash."""
    if isinstance(value, str) and _MEDIA_TYPE_NAME.fullmatch(value):
        return value
    return _media_type_of(value, place)


def _digest(value: object, place: str) -> Digest:
    if not isinstance(value, str):
        raise ManifestInvalid(f"'{place}' must be a digest.")
    try:
        return Digest.parse(value)
    except DigestInvalid as error:
        raise ManifestInvalid(f"'{place}': {error.message}", detail=value) from None


def _subject(fields: dict[str, t.Any]) -> Digest | None:
    subject = fields.get("subject")
    return None if subject is None else _descriptor(subject, "child", "subject").digest


def written_platform(fields: object) -> str:
    """Return a platform as clients write it, such as ``linux/arm64/v8``.

    :param fields: the JSON of a platform or of an image config. If it is not an object,
        the result is empty.
    """
    if not isinstance(fields, dict):
        return ""
    parts = (fields.get(key) for key in ("os", "architecture", "variant"))
    return "/".join(part for part in parts if isinstance(part, str) and part)


def _artifact_type(
    fields: dict[str, t.Any], descriptors: tuple[Descriptor, ...]
) -> str | None:
    """Return the artifact type for the referrers list.

    "If the artifactType is empty or missing in the image manifest, the value of
    artifactType MUST be set to the config descriptor mediaType value" (spec.md,
    "Listing Referrers").
    """
    value = fields.get("artifactType")
    if value:
        return _media_type_of(value, "artifactType")
    config = next((d for d in descriptors if d.kind == "config"), None)
    return config.media_type if config else None


def _annotations(fields: dict[str, t.Any]) -> dict[str, str]:
    annotations = fields.get("annotations")
    if annotations is None:
        return {}
    if not isinstance(annotations, dict) or not all(
        isinstance(value, str) for value in annotations.values()
    ):
        raise ManifestInvalid("'annotations' must be an object of strings.")
    try:
        json.dumps(annotations, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ManifestInvalid("'annotations' has an unpaired surrogate.") from None
    return annotations
