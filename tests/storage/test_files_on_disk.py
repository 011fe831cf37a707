"""Files of the local storage: permissions, partial uploads and full disks."""

from __future__ import annotations

import errno
import gzip
import os
import socket
import stat
import typing as t
from pathlib import Path

import pytest

from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.requests import with_query
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source

CONTENT = b"some content of a layer" * 100
DIGEST = digest_of(CONTENT)
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def files(storage: Path) -> t.Iterator[Path]:
    """Return every file with content."""
    for folder in ("blobs", "uploads"):
        yield from (path for path in (storage / folder).rglob("*") if path.is_file())


@pytest.fixture(name="storage")
def _storage(tmp_path: Path) -> Path:
    """The default storage folder of an application."""
    return tmp_path / "oci"


def test_other_accounts_cannot_read_files(alice: RegistryClient, storage: Path) -> None:
    """Only the account of the host and its group can read files and folders."""
    alice.push_blob("alice/app", CONTENT)
    alice.patch(alice.start_upload("alice/app"), CONTENT)
    paths = [storage, *storage.rglob("*")]
    assert len(list(files(storage))) == 2
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert not mode & stat.S_IRWXO, path
        assert not mode & stat.S_IWGRP, path


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_partial_blob_is_not_served(
    alice: RegistryClient, storage: Path, method: str
) -> None:
    """No client gets a part of a blob while its bytes arrive."""
    location = with_query(alice.start_upload("alice/app"), digest=DIGEST)
    seen = []

    def look() -> None:
        seen.append(alice.get(f"/v2/alice/app/blobs/{DIGEST}").status_code)
        assert not [p for p in (storage / "blobs").rglob("*") if p.is_file()]

    source = Source(CONTENT, look)
    response = alice.request(method, location, environ=source.environ(len(CONTENT)))
    assert response.status_code in (201, 202)
    assert seen
    assert set(seen) == {404}


def test_symbolic_link_is_not_followed(
    alice: RegistryClient, storage: Path, tmp_path: Path
) -> None:
    """The registry does not write through a symbolic link in the folder of uploads."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    location = alice.start_upload("alice/app")
    (session,) = files(storage)
    session.unlink()
    session.symlink_to(victim)
    response = alice.patch(location, CONTENT)
    assert response.status_code == 503
    assert errors(response)[0]["code"] == "UNAVAILABLE"
    assert victim.read_bytes() == b"precious"


@pytest.fixture(name="full_disk")
def _full_disk(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[], None]:
    """Return a function that ends the full disk, which takes one piece until then."""
    write = os.write

    def write_a_little(fd: int, content: t.Any) -> int:
        if os.fstat(fd).st_size:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, bytes(content)[:10])

    monkeypatch.setattr(os, "write", write_a_little)
    return lambda: monkeypatch.setattr(os, "write", write)


def test_upload_continues_after_a_full_disk(
    alice: RegistryClient, storage: Path, full_disk: t.Callable[[], None]
) -> None:
    """A client gets 503, nothing is half stored, and the same session continues once
    there is space."""
    location = alice.start_upload("alice/app")
    path = "/v2/alice/app/blobs/uploads/"
    answers = [
        alice.post(path, CONTENT, query={"digest": DIGEST}),
        alice.patch(location, CONTENT),
    ]
    for answer in answers:
        assert answer.status_code == 503
        (error,) = errors(answer)
        assert error["code"] == "UNAVAILABLE"
        assert "disk is full" in error["message"]
        assert answer.headers["Retry-After"]
    assert len(list(files(storage))) == 1
    assert alice.get(f"/v2/alice/app/blobs/{DIGEST}").status_code == 404

    full_disk()
    _, _, last = alice.get(location).headers["Range"].partition("-")
    rest = CONTENT[int(last) + 1 :]
    closing = alice.put(with_query(location, digest=DIGEST), rest)
    assert closing.status_code == 201
    assert alice.get(f"/v2/alice/app/blobs/{DIGEST}").data == CONTENT


def test_url_of_a_foreign_layer_is_not_fetched(
    alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry does not fetch the URLs of a foreign layer, which may be those of a
    cloud's credentials."""

    def refuse(*args: object, **kwargs: object) -> t.NoReturn:
        raise AssertionError("the registry opened a connection")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    urls = ["http://169.254.169.254/latest/", "file:///etc/passwd", "gopher://x:1/_"]
    foreign = descriptor(b"elsewhere", FOREIGN, urls=urls)
    alice.push_blob("alice/app", b"{}")
    manifest = image(foreign, config=b"{}")
    alice.push_manifest("alice/app", manifest, "v1")
    assert alice.get("/v2/alice/app/manifests/v1").data == manifest
    missing = alice.get(f"/v2/alice/app/blobs/{foreign['digest']}")
    assert refusal(missing) == (404, "BLOB_UNKNOWN")


def test_compressed_layer_is_not_decompressed(
    alice: RegistryClient, storage: Path
) -> None:
    """A compressed layer is stored and sent unchanged, whatever encodings a client
    names."""
    packed = gzip.compress(bytes(10**6))
    path = "/v2/alice/app/blobs/uploads/"
    headers = {"Content-Encoding": "gzip"}
    query = {"digest": digest_of(packed)}
    assert alice.post(path, packed, headers=headers, query=query).status_code == 201
    accepts = {"Accept-Encoding": "gzip, zstd"}
    found = alice.get(f"/v2/alice/app/blobs/{digest_of(packed)}", headers=accepts)
    assert found.data == packed
    assert "Content-Encoding" not in found.headers
    assert [path.stat().st_size for path in files(storage)] == [len(packed)]
