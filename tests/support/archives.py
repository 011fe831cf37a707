"""Archives for tests, valid and invalid, and their parts."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import typing as t
from pathlib import Path

from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import Json
from flask_oci.testing.manifests import media_type_of

MARK = b'{"imageLayoutVersion": "1.0.0"}'
REF_NAME = "org.opencontainers.image.ref.name"

Members = dict[str, bytes]


def blob_path(content: bytes) -> str:
    """Return the path of a blob in a layout."""
    return "blobs/" + digest_of(content).replace(":", "/")


def listed(manifest: bytes, name: str | None = None, **fields: object) -> Json:
    """Return the descriptor of a manifest in a layout's index."""
    named = {"annotations": {REF_NAME: name}} if name else {}
    return descriptor(manifest, media_type_of(manifest), **named, **fields)


def layout(entries: t.Sequence[Json], *blobs: bytes) -> Members:
    """Return the files of an OCI image layout.

    :param entries: the descriptors of its index.
    :param blobs: manifests, configs and layers.
    """
    return {
        "oci-layout": MARK,
        "index.json": json.dumps(
            {"schemaVersion": 2, "manifests": list(entries)}
        ).encode(),
        **{blob_path(blob): blob for blob in blobs},
    }


def saved(config: bytes, layers: t.Mapping[str, bytes], *names: str) -> Members:
    """Return the files of an archive of an old ``docker save``.

    :param layers: by folder name.
    :param names: the image's names.
    """
    stem = digest_of(config).partition(":")[2]
    image = {
        "Config": f"{stem}.json",
        "RepoTags": list(names) or None,
        "Layers": [f"{folder}/layer.tar" for folder in layers],
    }
    return {
        **{f"{folder}/layer.tar": layer for folder, layer in layers.items()},
        f"{stem}.json": config,
        "manifest.json": json.dumps([image]).encode(),
    }


def config_of(*layers: bytes) -> bytes:
    """Return the config of an image with these uncompressed layers."""
    ids = [digest_of(layer) for layer in layers]
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": ids},
        }
    ).encode()


def tar(members: Members, *more: tarfile.TarInfo) -> io.BytesIO:
    """Write a tar archive.

    :param more: members without content, such as links.
    """
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member)
    file.seek(0)
    return file


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return a link in an archive."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def zipped(file: io.BytesIO) -> io.BytesIO:
    """Compress an archive with gzip."""
    return io.BytesIO(gzip.compress(file.getvalue()))


def unpack(file: io.BytesIO | Path) -> Members:
    """Return the files of an archive, or of a folder."""
    if isinstance(file, Path) and file.is_dir():
        return {
            path.relative_to(file).as_posix(): path.read_bytes()
            for path in sorted(file.rglob("*"))
            if path.is_file()
        }
    source = file.open("rb") if isinstance(file, Path) else file
    with source, tarfile.open(fileobj=source) as archive:
        return {
            member.name: t.cast(t.IO[bytes], archive.extractfile(member)).read()
            for member in archive
            if member.isfile()
        }


def fill(folder: Path, members: Members) -> Path:
    """Write the files of an archive into a folder."""
    for name, content in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
