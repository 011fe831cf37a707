"""Images made on the spot, as OCI layouts on disk."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import tarfile
import typing as t
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

#: Digest -> bytes, of manifests and blobs alike.
Contents = dict[str, bytes]
#: Several chunks for every client that cuts a layer into chunks.
RANDOM_SIZE = 3 << 20


@dataclasses.dataclass(frozen=True)
class Image:
    """A manifest or an index with everything below it."""

    media_type: str
    digest: str
    contents: Contents
    architecture: str | None = None

    @property
    def digests(self) -> set[str]:
        """What has to arrive for the image to be whole."""
        return {*self.contents}

    @property
    def manifest(self) -> bytes:
        """The bytes that the digest names."""
        return self.contents[self.digest]

    def descriptor(self) -> dict[str, t.Any]:
        """How an index refers to this image."""
        found: dict[str, t.Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.manifest),
        }
        if self.architecture:
            platform = {"os": "linux", "architecture": self.architecture}
            found["platform"] = platform
        return found

    def write(self, folder: Path, tag: str = "latest") -> Path:
        """Write the image as an OCI layout, which every client can push from."""
        name = {"org.opencontainers.image.ref.name": tag}
        descriptor = {**self.descriptor(), "annotations": name}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]}
        for digest, content in self.contents.items():
            path = folder.joinpath("blobs", *digest.split(":"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (folder / "index.json").write_bytes(encode(index))
        (folder / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))
        return folder


def read_layout(folder: Path) -> set[str]:
    """Return the digests of what an OCI layout holds, each checked."""
    found = set()
    for path in folder.glob("blobs/*/*"):
        digest = digest_of(path.read_bytes(), path.parent.name)
        assert digest == f"{path.parent.name}:{path.name}"
        found.add(digest)
    return found


def make_image(
    root: bytes, architecture: str = "amd64", algorithm: str = "sha256"
) -> Image:
    """Make an image that runs, of `root` and a layer of its own."""
    layers = [root, random_layer()]
    blobs = [gzip.compress(layer, 1, mtime=0) for layer in layers]
    config = encode(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [*map(digest_of, layers)]},
        }
    )
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _describe(CONFIG, config, algorithm),
            "layers": [_describe(LAYER, blob, algorithm) for blob in blobs],
        }
    )
    contents = {digest_of(c, algorithm): c for c in (manifest, config, *blobs)}
    digest = digest_of(manifest, algorithm)
    return Image(MANIFEST, digest, contents, architecture)


def make_index(*images: Image) -> Image:
    """Make an index of images."""
    body = encode(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [image.descriptor() for image in images],
        }
    )
    contents = {digest_of(body): body}
    for image in images:
        contents |= image.contents
    return Image(INDEX, digest_of(body), contents)


def root_file_system(busybox: str) -> bytes:
    """Return the smallest root file system in which a shell runs, no two alike."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in ("bin", "etc", "tmp"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            folder.mode = 0o755
            tar.addfile(folder)
        program = tarfile.TarInfo("bin/busybox")
        content = Path(busybox).read_bytes()
        program.size = len(content)
        program.mode = 0o755
        tar.addfile(program, io.BytesIO(content))
        # Clients remember, beyond one run, which registry held which layer and swap
        # one for another: a layer that is new each time gives them nothing to swap.
        _add_random_file(tar, "etc/machine-id", 16)
        for name in ("sh", "cat", "touch", "ls"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type = tarfile.SYMTYPE
            link.linkname = "busybox"
            tar.addfile(link)
    return stream.getvalue()


def random_layer() -> bytes:
    """Return a layer that no registry has yet."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        _add_random_file(tar, "random", RANDOM_SIZE)
    return stream.getvalue()


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Name bytes by their digest."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def encode(value: t.Any) -> bytes:
    """Write JSON as most clients do, without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def _add_random_file(tar: tarfile.TarFile, name: str, size: int) -> None:
    file = tarfile.TarInfo(name)
    file.size = size
    tar.addfile(file, io.BytesIO(os.urandom(size)))


def _describe(media_type: str, content: bytes, algorithm: str) -> dict[str, t.Any]:
    digest = digest_of(content, algorithm)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}
