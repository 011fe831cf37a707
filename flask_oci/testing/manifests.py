"""Manifests as bytes, with their descriptors and digests."""

from __future__ import annotations

import hashlib
import json
import typing as t

OCI_MANIFEST: t.Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: t.Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: t.Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: t.Final = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY: t.Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: t.Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: t.Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCTETS: t.Final = "application/octet-stream"

Json = dict[str, t.Any]


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Return the digest of some content.

    :param algorithm: ``sha256`` or ``sha512``.
    """
    # This does not use the registry's code, so that tests can find its faults.
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


#: The digest of content that no test pushes.
UNKNOWN: t.Final = digest_of(b"nobody has pushed this")

#: A config and a layer for images whose content is irrelevant.
CONFIG: t.Final = b'{"architecture":"amd64","os":"linux"}'
LAYER: t.Final = b"a layer"


def descriptor(content: bytes, media_type: str = OCI_LAYER, **fields: object) -> Json:
    """Return a descriptor of some content.

    :param fields: more fields, or replacements.
    """
    return {
        "mediaType": media_type,
        "digest": digest_of(content),
        "size": len(content),
        **fields,
    }


def encoded(fields: object) -> bytes:
    """Return a JSON document; the same fields produce the same bytes."""
    return json.dumps(fields, indent=2).encode()


def image(
    *layers: bytes | Json,
    config: bytes | Json = CONFIG,
    docker: bool = False,
    **fields: object,
) -> bytes:
    """Return an image manifest.

    :param layers: the contents of the layers, or their descriptors.
    :param config: the same for the config.
    :param docker: whether to use Docker's media types instead of OCI's.
    :param fields: more fields, or replacements.
    """
    config_type = (
        "application/vnd.docker.container.image.v1+json" if docker else OCI_CONFIG
    )
    return encoded(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": _described(config, config_type),
            "layers": [_described(layer, OCI_LAYER) for layer in layers],
            **fields,
        }
    )


def index(*children: Json, docker: bool = False, **fields: object) -> bytes:
    """Return an image index of some descriptors.

    :param docker: whether to return a manifest list of Docker.
    :param fields: more fields, or replacements.
    """
    return encoded(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_LIST if docker else OCI_INDEX,
            "manifests": list(children),
            **fields,
        }
    )


def media_type_of(manifest: bytes) -> str:
    """Return the media type in a manifest."""
    return t.cast(str, json.loads(manifest)["mediaType"])


def _described(content: bytes | Json, media_type: str) -> Json:
    return content if isinstance(content, dict) else descriptor(content, media_type)
