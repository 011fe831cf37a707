"""Complete generated images."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import typing as t
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from .manifests import descriptor
from .manifests import digest_of
from .manifests import encoded
from .manifests import image
from .manifests import index
from .manifests import Json
from .manifests import media_type_of
from .manifests import OCI_CONFIG
from .manifests import OCI_EMPTY
from .manifests import OCI_LAYER
from .manifests import OCTETS

#: The bytes of manifests and blobs by digest.
Contents = dict[str, bytes]


@dataclass(frozen=True)
class Image:
    """A manifest or an index with all its content.

    Two images are equal if they have the same content, regardless of their origin.
    """

    media_type: str
    """That of the manifest."""

    digest: str
    """The name of the manifest."""

    contents: Contents = field(repr=False, hash=False)
    """Manifests and blobs by their digests."""

    architecture: str | None = field(default=None, compare=False)
    """The architecture of the image in an index."""

    @property
    def digests(self) -> set[str]:
        """The digests of all content of the image."""
        return {*self.contents}

    @property
    def manifest(self) -> bytes:
        """The bytes of the manifest."""
        return self.contents[self.digest]

    @property
    def manifests(self) -> list[str]:
        """The digests of all manifests, each after those it needs."""
        return [*self._manifests(self.digest)]

    @property
    def blobs(self) -> list[str]:
        """The digests of configs and layers."""
        return [digest for digest in self.contents if digest not in self.manifests]

    def descriptor(self) -> Json:
        """Return the descriptor of the image for an index."""
        platform = {"os": "linux", "architecture": self.architecture}
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.manifest),
            **({"platform": platform} if self.architecture else {}),
        }

    def write(self, folder: str | os.PathLike[str], tag: str = "latest") -> Path:
        """Write the image as an OCI image layout, and return its folder."""
        folder = Path(folder)
        name = {"org.opencontainers.image.ref.name": tag}
        for digest, content in self.contents.items():
            path = folder.joinpath("blobs", *digest.split(":"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        listed = index({**self.descriptor(), "annotations": name})
        (folder / "index.json").write_bytes(listed)
        (folder / "oci-layout").write_bytes(encoded({"imageLayoutVersion": "1.0.0"}))
        return folder

    def _manifests(self, digest: str) -> t.Iterator[str]:
        for child in json.loads(self.contents[digest]).get("manifests") or ():
            yield from self._manifests(child["digest"])
        yield digest


def make_image(
    *layers: bytes,
    architecture: str = "amd64",
    algorithm: str = "sha256",
    config: t.Mapping[str, object] | None = None,
    **fields: t.Any,
) -> Image:
    """Return a new image that no registry has, or one of given layers.

    :param layers: tar archives, as :func:`make_layer` returns them.
    :param algorithm: the algorithm of its digests, ``sha256`` or ``sha512``.
    :param config: how to run it: ``Cmd``, ``Env``, ``Labels``.
    :param fields: more fields of the manifest, such as ``annotations`` and ``subject``.
    """
    layers = layers or (make_layer({"unique": os.urandom(16)}),)
    blobs = [gzip.compress(layer, 1, mtime=0) for layer in layers]
    diff_ids = [digest_of(layer) for layer in layers]
    described = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    contents = [encoded(described), *blobs]
    first, *rest = (
        descriptor(content, kind, digest=digest_of(content, algorithm))
        for content, kind in zip(
            contents, [OCI_CONFIG, *[OCI_LAYER] * len(blobs)], strict=True
        )
    )
    manifest = image(*rest, config=first, **fields)
    return _whole(manifest, contents, algorithm, architecture)


def make_index(*images: Image, **fields: t.Any) -> Image:
    """Return an index of images, as for several architectures.

    :param fields: more fields of the index.
    """
    manifest = index(*(image.descriptor() for image in images), **fields)
    made = _whole(manifest)
    for child in images:
        made.contents.update(child.contents)
    return made


def make_artifact(
    content: bytes,
    artifact_type: str,
    subject: Image | None = None,
    **fields: t.Any,
) -> Image:
    """Return an artifact, such as a signature or an SBOM.

    :param content: its only layer.
    :param subject: the image that it refers to.
    :param fields: more fields of the manifest.
    """
    if subject:
        fields["subject"] = subject.descriptor()
    manifest = image(
        descriptor(content, OCTETS),
        config=descriptor(b"{}", OCI_EMPTY),
        artifactType=artifact_type,
        **fields,
    )
    return _whole(manifest, [b"{}", content])


def make_layer(files: t.Mapping[str, bytes]) -> bytes:
    """Return a layer with some files; the same files produce the same bytes.

    :param files: their contents, by their paths from the root.
    :return: a tar archive.
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _whole(
    manifest: bytes,
    blobs: t.Iterable[bytes] = (),
    algorithm: str = "sha256",
    architecture: str | None = None,
) -> Image:
    contents = {digest_of(c, algorithm): c for c in (manifest, *blobs)}
    digest = digest_of(manifest, algorithm)
    return Image(media_type_of(manifest), digest, contents, architecture)
