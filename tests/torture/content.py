"""Random images, which are the same for the same seed."""

from __future__ import annotations

import hashlib
import json
import random
import typing as t
from dataclasses import dataclass

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

#: The sizes of layers in bytes: small, several pieces, and more than the registry
#: reads, hashes and writes at a time.
SIZES = (1, 700, 20_000, 20_000, 200_000, 1_500_000)


def digest_of(content: bytes) -> str:
    """Return the digest of some content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Blob:
    """A layer or a config."""

    digest: str
    content: bytes
    media_type: str = LAYER_TYPE

    @classmethod
    def of(cls, content: bytes, media_type: str = LAYER_TYPE) -> Blob:
        """Return the blob of some content."""
        return cls(digest_of(content), content, media_type)

    @classmethod
    def random(cls, rng: random.Random) -> Blob:
        """Return a random layer."""
        return cls.of(rng.randbytes(rng.choice(SIZES)))

    def descriptor(self) -> dict[str, t.Any]:
        """Return its descriptor in a manifest."""
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.content),
        }


@dataclass(frozen=True)
class Image:
    """A manifest and the blobs that it references."""

    digest: str
    manifest: bytes
    blobs: tuple[Blob, ...]
    """Its config, followed by its layers."""

    @classmethod
    def of(cls, name: str, layers: t.Iterable[Blob]) -> Image:
        """Return an image of some layers.

        :param name: makes it different from other images of the same layers.
        """
        config = Blob.of(json.dumps({"name": name}).encode(), CONFIG_TYPE)
        blobs = (config, *layers)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": config.descriptor(),
                "layers": [blob.descriptor() for blob in blobs[1:]],
            }
        ).encode()
        return cls(digest_of(manifest), manifest, blobs)
