"""Images that run, and OCI layouts on disk."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from flask_oci import testing
from flask_oci.testing import digest_of
from flask_oci.testing import Image

#: Several chunks for every client that cuts a layer into chunks.
RANDOM_SIZE = 3 << 20


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
    layers = (root, random_layer())
    return testing.make_image(*layers, architecture=architecture, algorithm=algorithm)


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


def _add_random_file(tar: tarfile.TarFile, name: str, size: int) -> None:
    file = tarfile.TarInfo(name)
    file.size = size
    tar.addfile(file, io.BytesIO(os.urandom(size)))
