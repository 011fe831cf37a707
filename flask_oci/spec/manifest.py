"""Manifests: read once, validated, and never written again.

The image-spec's manifest.md and image-index.md say what a manifest is, Docker's
schema 2 is its older sibling. Nothing here knows a database or a request: text
goes in, a :class:`Manifest` or a :class:`~flask_oci.errors.ManifestInvalid`
comes out.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ..errors import DigestInvalid
from ..errors import ManifestInvalid
from .digest import Digest

OCI_MANIFEST: t.Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: t.Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: t.Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: t.Final = "application/vnd.docker.distribution.manifest.list.v2+json"

MANIFEST_TYPES: t.Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES: t.Final = frozenset({OCI_INDEX, DOCKER_LIST})

#: What the config of an image is, as opposed to that of a chart or a signature.
IMAGE_CONFIGS: t.Final = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)

#: The most descriptors that one manifest may have. Real ones stay in the
#: hundreds; each costs a row.
MAX_DESCRIPTORS: t.Final = 10_000

#: How deep a manifest may nest, which bounds what reading it costs.
MAX_DEPTH: t.Final = 64

#: The most JSON values that one manifest may have. A value costs a hundred times its
#: bytes in memory once it is read, so the size of the text does not bound the cost.
MAX_VALUES: t.Final = 100_000

#: The largest size of a descriptor, in bytes: the largest integer on which all readers
#: of JSON agree (RFC 8259, section 6).
_MAX_SIZE = 2**53 - 1
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
    r"(?:[ \t]*;[\x20-\x7e]{0,120})?",
    re.ASCII,
)
_MEDIA_TYPE_LENGTH = 255
# The decoder's own function, in C: it returns a string and the position behind it.
_scan_string: t.Final[t.Callable[[str, int], tuple[str, int]]] = t.cast(
    t.Any, json.JSONDecoder()
).parse_string
_MEDIA_TYPE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)
_BRACKET = re.compile(r"[\[\]{}]")
_FOREIGN_LAYER = re.compile(r"\.(?:foreign|nondistributable)\.", re.ASCII)

Kind = t.Literal["config", "layer", "child"]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """ "A Content Descriptor (or simply Descriptor) describes the disposition of
    the targeted content" (image-spec, descriptor.md).
    """

    kind: Kind
    media_type: str
    digest: Digest
    size: int
    foreign: bool = False
    """Whether it is a non-distributable layer that says where else to get it, so
    that its content need not be pushed."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a registry has to know of a manifest."""

    media_type: str
    descriptors: tuple[Descriptor, ...]
    subject: Digest | None
    artifact_type: str | None
    annotations: dict[str, str]


def parse(content: bytes, content_type: str | None) -> Manifest:
    """Read and validate a pushed manifest.

    Unknown fields, platforms, config and layer types are the client's own
    business: an artifact may be anything that the descriptors can describe.

    :param content: the body exactly as it was received.
    :param content_type: the ``Content-Type`` of the request. "The registry
        SHOULD ignore parameters on the `Content-Type` header" (spec.md, "Pushing
        Manifests").
    :raises ManifestInvalid: when anything in it would be read differently by
        two readers, or could not be stored and found again.
    """
    fields = read_object(content)
    media_type = _media_type(fields, content_type)
    version = fields.get("schemaVersion")
    # 2.0 equals 2 here, and cannot be read at all by clients written in Go.
    if not isinstance(version, int) or version != 2:
        raise ManifestInvalid("A manifest has 'schemaVersion': 2.")
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


def read_object(content: bytes) -> dict[str, t.Any]:
    """Read a JSON object that no two readers take differently, with a bound on how
    deep it nests.

    :raises ManifestInvalid: when it is none.
    """
    try:
        text = content.decode("utf-8")
        _refuse_excess(text)
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(
            f"The manifest is not a JSON document in UTF-8: {error}."[:200]
        ) from None
    if not isinstance(value, dict):
        raise ManifestInvalid("A manifest is a JSON object.")
    return value


def _refuse_excess(text: str) -> None:
    """Refuse a JSON text that is deep or has many values, before it is read.

    :raises ValueError: if it nests deeper than MAX_DEPTH or has more than MAX_VALUES
        values, or a string in it does not end.
    """
    # Each value but the first of its container follows a comma, and an object or a
    # list opens with a bracket. Marks inside strings only make the estimate too high.
    brackets = text.count("[") + text.count("{")
    if brackets <= MAX_DEPTH and brackets + text.count(",") <= MAX_VALUES:
        return
    values, depth = 0, 0
    for part in _outside_strings(text):
        values += 1 + part.count(",")
        for bracket in _BRACKET.finditer(part):
            opens = bracket[0] in "[{"
            depth += 1 if opens else -1
            values += opens
            if depth > MAX_DEPTH:
                raise ValueError(f"it nests deeper than {MAX_DEPTH} levels")
            if values > MAX_VALUES:
                break
        if values > MAX_VALUES:
            raise ValueError(f"it has more than {MAX_VALUES} values")


def _outside_strings(text: str) -> t.Iterator[str]:
    """Yield the parts of a JSON text between its strings.

    :raises ValueError: if a string does not end.
    """
    start = 0
    while (quote := text.find('"', start)) >= 0:
        yield text[start:quote]
        _, start = _scan_string(text, quote + 1)
    yield text[start:]


def _without_duplicates(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Readers differ in which of two equal keys they believe.
        raise ValueError("a key appears twice in one object")
    return fields


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not JSON")


def _media_type(fields: dict[str, t.Any], content_type: str | None) -> str:
    declared = fields.get("mediaType")
    if declared is not None and not isinstance(declared, str):
        raise ManifestInvalid("'mediaType' is text.")
    sent = (content_type or "").partition(";")[0].strip()
    if sent and declared and sent != declared:
        raise ManifestInvalid(
            "The Content-Type of the request and the 'mediaType' of the manifest"
            " must be the same.",
            detail=declared,
        )
    media_type = sent or declared or ""
    if media_type not in MANIFEST_TYPES | INDEX_TYPES:
        raise ManifestInvalid(
            "The media type must be that of an OCI image manifest or index, or of"
            " a Docker schema 2 manifest or list.",
            detail=media_type,
        )
    return media_type


def _refuse_ambiguity(fields: dict[str, t.Any], is_index: bool) -> None:
    foreign = ("config", "layers") if is_index else ("manifests",)
    for field in (*foreign, "fsLayers"):
        if field in fields:
            # CVE-2021-41190: bytes that are a manifest to one reader and an
            # index to another.
            raise ManifestInvalid(
                f"'{field}' does not belong into a manifest of this media type."
            )


def _config_and_layers(fields: dict[str, t.Any]) -> tuple[Descriptor, ...]:
    config = _descriptor(fields.get("config"), "config", "config")
    return (config, *_descriptors(fields, "layers", "layer"))


def _children(fields: dict[str, t.Any]) -> tuple[Descriptor, ...]:
    return tuple(_descriptors(fields, "manifests", "child"))


def _descriptors(
    fields: dict[str, t.Any], field: str, kind: Kind
) -> t.Iterator[Descriptor]:
    entries = fields.get(field)
    if kind == "layer" and entries is None:
        # BuildKit writes null for an image without layers (moby/buildkit#4331).
        return
    if not isinstance(entries, list):
        raise ManifestInvalid(f"'{field}' is a list of descriptors.")
    if len(entries) > MAX_DESCRIPTORS:
        raise ManifestInvalid(f"'{field}' has more than {MAX_DESCRIPTORS} entries.")
    for position, entry in enumerate(entries):
        yield _descriptor(entry, kind, f"{field}[{position}]")


def _descriptor(entry: object, kind: Kind, place: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise ManifestInvalid(f"'{place}' is a descriptor, a JSON object.")
    size = entry.get("size")
    if (
        isinstance(size, bool)
        or not isinstance(size, int)
        or not 0 <= size <= _MAX_SIZE
    ):
        raise ManifestInvalid(f"'{place}.size' is a number of bytes.")
    urls = entry.get("urls")
    if urls is not None and not (
        isinstance(urls, list) and all(isinstance(url, str) for url in urls)
    ):
        raise ManifestInvalid(f"'{place}.urls' is a list of addresses.")
    written = _layer_type_of if kind == "layer" else _media_type_of
    media_type = written(entry.get("mediaType"), f"{place}.mediaType")
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
        raise ManifestInvalid(f"'{place}' is a media type (RFC 6838).")
    return value


def _layer_type_of(value: object, place: str) -> str:
    """Return the media type of a layer, which clients such as oras let their users
    write without a slash."""
    if isinstance(value, str) and _MEDIA_TYPE_NAME.fullmatch(value):
        return value
    return _media_type_of(value, place)


def _digest(value: object, place: str) -> Digest:
    if not isinstance(value, str):
        raise ManifestInvalid(f"'{place}' is a digest.")
    try:
        return Digest.parse(value)
    except DigestInvalid as error:
        raise ManifestInvalid(f"'{place}': {error.message}", detail=value) from None


def _subject(fields: dict[str, t.Any]) -> Digest | None:
    subject = fields.get("subject")
    return None if subject is None else _descriptor(subject, "child", "subject").digest


def written_platform(fields: object) -> str:
    """Write the platform of a descriptor, or of an image's config, as clients do:
    ``linux/arm64/v8``. What is none has none."""
    if not isinstance(fields, dict):
        return ""
    parts = (fields.get(key) for key in ("os", "architecture", "variant"))
    return "/".join(part for part in parts if isinstance(part, str) and part)


def _artifact_type(
    fields: dict[str, t.Any], descriptors: tuple[Descriptor, ...]
) -> str | None:
    """Find the type that the referrers list shows.

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
        raise ManifestInvalid("'annotations' is an object of texts.")
    try:
        json.dumps(annotations, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ManifestInvalid("'annotations' has half of a character in it.") from None
    return annotations
