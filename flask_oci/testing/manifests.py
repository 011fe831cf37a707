"""What is pushed: manifests as bytes, and the descriptors and digests in them."""

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
    """Return the name of some content.

    :param algorithm: ``sha256`` or ``sha512``.
    """
    # Not by the registry's own code, which a test has to be able to find wrong.
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


#: The digest of something that no test ever pushes.
UNKNOWN: t.Final = digest_of(b"nobody has pushed this")

#: The config and the layer of an image where they do not matter.
CONFIG: t.Final = b'{"architecture":"amd64","os":"linux"}'
LAYER: t.Final = b"a layer"


def descriptor(content: bytes, media_type: str = OCI_LAYER, **fields: object) -> Json:
    """Describe content in the way a manifest does.

    :param fields: more fields, or others for those that it has.
    """
    return {
        "mediaType": media_type,
        "digest": digest_of(content),
        "size": len(content),
        **fields,
    }


def encoded(fields: object) -> bytes:
    """Write a JSON document; the same fields are the same bytes."""
    return json.dumps(fields, indent=2).encode()


def image(
    *layers: bytes | Json,
    config: bytes | Json = CONFIG,
    docker: bool = False,
    **fields: object,
) -> bytes:
    """Write an image manifest.

    :param layers: their content, or descriptors where the usual ones will not do.
    :param config: the same.
    :param docker: as Docker had it before there was an OCI.
    :param fields: more fields, or others for those that it has.
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
    """Write an image index of what the descriptors describe.

    :param docker: as Docker had it, which called it a manifest list.
    :param fields: more fields, or others for those that it has.
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
    """Return the media type that a manifest says it has."""
    return t.cast(str, json.loads(manifest)["mediaType"])


def _described(content: bytes | Json, media_type: str) -> Json:
    return content if isinstance(content, dict) else descriptor(content, media_type)
