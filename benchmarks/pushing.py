"""Pushes as docker does them: the blobs, then their manifest."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import typing as t
from pathlib import Path

from .client import Connection
from .client import target_of
from .client import with_digest

MANIFEST_TYPE: t.Final = "application/vnd.oci.image.manifest.v1+json"

#: The number of blobs in a small image, including its config, and their bytes.
SMALL_BLOBS: t.Final = 4
SMALL_SIZE: t.Final = 4096

_numbers = itertools.count()


def digest_of(content: bytes) -> str:
    """Return the digest of some content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class File(t.NamedTuple):
    """A file of random bytes, which no registry has stored yet."""

    path: str
    size: int
    digest: str


def random_file(folder: Path, size: int) -> File:
    """Write a file of this many bytes; the caller deletes the folder."""
    path = folder / f"blob-{next(_numbers)}"
    hasher = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, 1 << 20):
            piece = os.urandom(min(1 << 20, size - start))
            hasher.update(piece)
            file.write(piece)
        # The disk should be busy with the registries' writes only.
        file.flush()
        os.fsync(file.fileno())
    return File(str(path), size, f"sha256:{hasher.hexdigest()}")


def push_file(connection: Connection, name: str, file: File) -> None:
    """Push a large blob: POST, one streamed PATCH, PUT."""
    started = connection.request("POST", f"/v2/{name}/blobs/uploads/").expect(202)
    location = target_of(started.headers["location"])
    patched = connection.push(location, file.path, file.size).expect(202)
    location = target_of(patched.headers["location"])
    connection.request("PUT", with_digest(location, file.digest)).expect(201)


def push_blob(connection: Connection, name: str, content: bytes) -> str:
    """Push a small blob: HEAD, to check whether it exists, POST, PATCH, PUT."""
    digest = digest_of(content)
    connection.request("HEAD", f"/v2/{name}/blobs/{digest}").expect(404)
    started = connection.request("POST", f"/v2/{name}/blobs/uploads/").expect(202)
    patched = connection.request(
        "PATCH",
        target_of(started.headers["location"]),
        content,
        chunked=True,
        Content_Type="application/octet-stream",
    ).expect(202)
    location = target_of(patched.headers["location"])
    connection.request("PUT", with_digest(location, digest)).expect(201)
    return digest


def push_manifest(
    connection: Connection, name: str, reference: str, content: bytes
) -> None:
    """Push a manifest as a tag, or by its digest."""
    connection.request(
        "PUT",
        f"/v2/{name}/manifests/{reference}",
        content,
        Content_Type=MANIFEST_TYPE,
    ).expect(201)


def push_small_image(connection: Connection, name: str, tag: str) -> bytes:
    """Push a unique image, and return its manifest."""
    contents = [os.urandom(SMALL_SIZE) for _ in range(SMALL_BLOBS)]
    for content in contents:
        push_blob(connection, name, content)
    manifest = image(*contents)
    push_manifest(connection, name, tag, manifest)
    return manifest


def image(config: bytes, *layers: bytes, **fields: object) -> bytes:
    """Write the manifest of an image."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar+gzip", layer) for layer in layers],
            **fields,
        }
    ).encode()


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {
        "mediaType": f"application/vnd.oci.image.{kind}",
        "digest": digest_of(content),
        "size": len(content),
    }
