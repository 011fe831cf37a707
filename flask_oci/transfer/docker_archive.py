"""The archives of ``docker save``, before and since Docker 25.

The old format has the config and the layers of an image, and no manifest; the registry
generates the same manifest each time. The new format is an OCI image layout with a
``manifest.json`` for older readers.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from collections.abc import Hashable
from contextlib import AbstractContextManager
from functools import cached_property

from ..errors import DigestInvalid
from ..spec.digest import Digest
from ..spec.json_object import read_object
from ..spec.manifest import Descriptor
from ..spec.manifest import IMAGE_CONFIGS
from ..spec.manifest import INDEX_TYPES
from ..spec.manifest import OCI_MANIFEST
from ..storage.protocol import PIECE
from ..storage.protocol import Reader
from . import archive_writer
from .archive_reader import Files
from .archive_reader import read
from .archive_writer import ArchiveSink
from .base import RawManifest
from .base import Source
from .base import TransferError
from .oci_layout import blob_path
from .oci_layout import LayoutTarget

MANIFEST: t.Final = "manifest.json"

CONFIG_TYPE: t.Final = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE: t.Final = "application/vnd.oci.image.layer.v1.tar"
GZIP_TYPE: t.Final = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD_TYPE: t.Final = "application/vnd.oci.image.layer.v1.tar+zstd"

#: The media types of compressed layers, by their first bytes.
_MAGIC = {b"\x1f\x8b": GZIP_TYPE, b"\x28\xb5\x2f\xfd": ZSTD_TYPE}

_HEX_NAME = re.compile(r"(?:sha256:)?([0-9a-f]{64})(?:\.json)?", re.ASCII)

#: The largest number of layers; Docker allows fewer.
MAX_LAYERS: t.Final = 1000

#: The largest number of images.
MAX_IMAGES: t.Final = 1000


class Saved(t.NamedTuple):
    """An image as listed in ``manifest.json``."""

    config: str
    names: list[str]
    layers: list[str]


class Config(t.NamedTuple):
    """A config in an archive."""

    digest: Digest
    size: int
    """Its size in bytes."""

    layers: list[str]
    """The digests of the uncompressed layers."""


class DockerArchive:
    """The images of an archive of the old format, as a
    :class:`~flask_oci.transfer.base.Source`.

    :param files: the files of the archive.
    :param limit: the largest size of a config, in bytes.
    """

    def __init__(self, files: Files, limit: int) -> None:
        self._files = files
        self._limit = limit
        self._saved = _saved(read(files, MANIFEST, limit))
        self._paths: dict[Digest, str] = {}
        self._described: dict[Hashable, Descriptor] = {}
        self._configs: dict[Hashable, Config] = {}
        self._made: dict[tuple[str, ...], RawManifest] = {}

    def references(self) -> list[str]:
        """Return the names, and the digests of unnamed images."""
        return [
            name
            for saved in self._saved
            for name in saved.names or [str(self._item(saved).digest)]
        ]

    def find(self, reference: str) -> RawManifest:
        """Return the image of a name or a digest."""
        if reference in self._by_name:
            return self._item(self._by_name[reference])
        if reference in self._by_digest:
            return self._by_digest[reference]
        raise TransferError(
            f"There is no {reference} in the archive. It has"
            f" {', '.join(self.references())}."
        )

    def manifest(self, wanted: Descriptor) -> RawManifest:
        """Return an image; this format has no indexes."""
        return self.find(str(wanted.digest))

    def open(self, wanted: Descriptor) -> AbstractContextManager[Reader]:
        """Open a config or a layer for reading."""
        return self._files.open(self._paths[wanted.digest])

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """Return nothing: the format has no referrers."""
        return []

    def attached(self, digest: Digest) -> list[str]:
        """Return nothing: the format has no related content."""
        return []

    @cached_property
    def _by_name(self) -> dict[str, Saved]:
        """The images by name; of two with the same name, the first counts."""
        return {name: saved for saved in self._saved[::-1] for name in saved.names}

    @cached_property
    def _by_digest(self) -> dict[str, RawManifest]:
        return {str(item.digest): item for item in map(self._item, self._saved)}

    def _item(self, saved: Saved) -> RawManifest:
        """Return the generated manifest of an image."""
        key = (saved.config, *saved.layers)
        if key not in self._made:
            self._made[key] = self._make(saved)
        return self._made[key]

    def _make(self, saved: Saved) -> RawManifest:
        config, size, ids = self._config(saved.config)
        named = _HEX_NAME.fullmatch(saved.config.rpartition("/")[2])
        if named and named[1] != config.encoded:
            raise DigestInvalid(f"{saved.config} has the digest {config}.")
        if len(ids) != len(saved.layers):
            raise TransferError(
                f"{saved.config} lists {len(ids)} layers, but {MANIFEST} lists"
                f" {len(saved.layers)}."
            )
        layers = []
        for path, expected in zip(saved.layers, ids, strict=True):
            layer = self._layer(path)
            if layer.media_type == LAYER_TYPE and str(layer.digest) != expected:
                raise DigestInvalid(
                    f"{path} has the digest {layer.digest}, but the config expects"
                    f" {expected}."
                )
            layers.append(_fields(layer))
        described = Descriptor("config", CONFIG_TYPE, config, size)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": _fields(described),
                "layers": layers,
            },
            separators=(",", ":"),
        ).encode()
        return RawManifest(Digest.of(manifest), OCI_MANIFEST, manifest)

    def _config(self, path: str) -> Config:
        """Read a config once, under whatever names."""
        identity = self._files.identity(path)
        if identity not in self._configs:
            content = read(self._files, path, self._limit)
            digest = Digest.of(content)
            self._configs[identity] = Config(digest, len(content), _diff_ids(content))
            self._paths[digest] = path
        return self._configs[identity]

    def _layer(self, path: str) -> Descriptor:
        """Read a layer once, under whatever names, and return its descriptor."""
        identity = self._files.identity(path)
        if identity not in self._described:
            hasher, size, start = hashlib.sha256(), 0, b""
            with self._files.open(path) as file:
                while piece := file.read(PIECE):
                    start = start or piece[:4]
                    hasher.update(piece)
                    size += len(piece)
            digest = Digest("sha256", hasher.hexdigest())
            found = (kind for mark, kind in _MAGIC.items() if start.startswith(mark))
            media_type = next(found, LAYER_TYPE)
            self._described[identity] = Descriptor("layer", media_type, digest, size)
            self._paths[digest] = path
        return self._described[identity]


class DockerLayout(LayoutTarget):
    """An archive of the new format, as a :class:`~flask_oci.transfer.base.Target`.

    :param sink: the output.
    :param called: the name of the repository in the archive.
    """

    def __init__(self, sink: ArchiveSink, called: str) -> None:
        super().__init__(sink)
        self._manifest = _Manifest(sink, called)

    def add_name(self, item: RawManifest, name: str | None) -> None:
        """Add an image to ``index.json`` and to ``manifest.json``."""
        super().add_name(item, name)
        self._manifest.add(item, name)

    def finish(self) -> None:
        """Write both lists at the end."""
        super().finish()
        self._manifest.write()


class _Manifest:
    """The content of ``manifest.json``."""

    def __init__(self, sink: ArchiveSink, called: str) -> None:
        self._sink = sink
        self._called = called
        self._images: dict[Digest, dict[str, t.Any]] = {}

    def add(self, item: RawManifest, tag: str | None) -> None:
        """Add an image; skip other content, such as signatures, which Docker cannot
        load."""
        if item.media_type in INDEX_TYPES:
            raise TransferError(
                f"{item.digest} has several platforms, but the archive needs one."
                " Choose it, for example with '--platform linux/amd64'."
            )
        manifest = item.parsed()
        if manifest.subject is not None or manifest.artifact_type not in IMAGE_CONFIGS:
            return
        config, *layers = manifest.descriptors
        image = self._images.setdefault(
            item.digest,
            {
                "Config": blob_path(config.digest),
                "RepoTags": [],
                "Layers": [blob_path(layer.digest) for layer in layers],
            },
        )
        name = f"{self._called}:{tag}"
        if tag and name not in image["RepoTags"]:
            image["RepoTags"].append(name)

    def write(self) -> None:
        """Write the list.

        :raises TransferError: if it is empty.
        """
        if not self._images:
            raise TransferError(
                "There is no image to export, and Docker loads only images."
            )
        content = json.dumps(list(self._images.values())).encode()
        archive_writer.put(self._sink, MANIFEST, content)


def _fields(descriptor: Descriptor) -> dict[str, t.Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }


def _saved(content: bytes) -> list[Saved]:
    # The file is a list, and the bounded JSON reader only reads objects.
    images = read_object(b'{"images":' + content + b"}")["images"]
    try:
        found = [
            Saved(
                _text(image["Config"]),
                list(map(_text, image.get("RepoTags") or [])),
                list(map(_text, image["Layers"])),
            )
            for image in images
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise TransferError(
            f"{MANIFEST} does not have the format of 'docker save'."
        ) from error
    if len(found) > MAX_IMAGES or any(len(i.layers) > MAX_LAYERS for i in found):
        raise TransferError(
            f"{MANIFEST} has more than {MAX_IMAGES} images, or {MAX_LAYERS} layers."
        )
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _diff_ids(config: bytes) -> list[str]:
    fields = read_object(config).get("rootfs")
    found = fields.get("diff_ids") if isinstance(fields, dict) else None
    return found if isinstance(found, list) else []


def images_of(files: Files, limit: int) -> Source | None:
    """Return the images of an archive of the old format, or None."""
    return DockerArchive(files, limit) if files.size(MANIFEST) is not None else None
