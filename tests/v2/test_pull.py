"""Pulling manifests and blobs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import DOCKER_MANIFEST
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from tests.support.host import Administrator
from tests.support.registry_client import RegistryClient

REPOSITORIES = ("alice/app", "alice/sub/name")


@pytest.mark.parametrize("name", REPOSITORIES)
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_manifest_is_served_as_pushed(
    alice: RegistryClient, name: str, by: str
) -> None:
    """A manifest is served as the bytes and the type that were pushed."""
    manifest = alice.push_image(name, "latest")
    reference = "latest" if by == "tag" else digest_of(manifest)

    response = alice.get(f"/v2/{name}/manifests/{reference}")

    assert response.status_code == 200
    assert response.data == manifest
    assert response.headers["Content-Type"] == OCI_MANIFEST
    assert response.headers["Content-Length"] == str(len(manifest))
    assert response.headers["Docker-Content-Digest"] == digest_of(manifest)
    assert response.headers["ETag"] == f'"{digest_of(manifest)}"'
    assert "Authorization" in response.vary


@pytest.mark.parametrize("name", REPOSITORIES)
def test_blob_is_served_as_attachment(alice: RegistryClient, name: str) -> None:
    """A blob is served as bytes that no browser shows and no proxy changes."""
    digest = alice.push_blob(name, b"<script>alert(1)</script>")

    response = alice.get(f"/v2/{name}/blobs/{digest}")

    assert response.status_code == 200
    assert response.data == b"<script>alert(1)</script>"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Length"] == "25"
    assert response.headers["Docker-Content-Digest"] == digest
    assert response.headers["ETag"] == f'"{digest}"'
    assert response.headers["Accept-Ranges"] == "bytes"
    assert "Authorization" in response.vary
    assert response.headers["Content-Disposition"] == "attachment"
    assert "no-transform" in response.headers["Cache-Control"]
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("kind", ["tag", "digest", "blob", "empty blob"])
def test_head_has_the_headers_of_get(alice: RegistryClient, kind: str) -> None:
    """HEAD has the status and every header of GET, and nothing behind them."""
    manifest = alice.push_image("alice/app", "latest")
    path = {
        "tag": "/v2/alice/app/manifests/latest",
        "digest": f"/v2/alice/app/manifests/{digest_of(manifest)}",
        "blob": f"/v2/alice/app/blobs/{digest_of(LAYER)}",
        "empty blob": f"/v2/alice/app/blobs/{alice.push_blob('alice/app', b'')}",
    }[kind]

    get, head = alice.get(path), alice.head(path)

    assert head.status_code == get.status_code == 200
    assert dict(head.headers) == dict(get.headers)
    assert head.data == b""
    assert head.headers["Content-Length"] == str(len(get.data))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("alice/app/manifests/unknown", 404, "MANIFEST_UNKNOWN"),
        ("alice/app/manifests/.invalid", 404, "MANIFEST_UNKNOWN"),
        ("alice/app/manifests/" + "a" * 129, 404, "MANIFEST_UNKNOWN"),
        (f"alice/app/manifests/{UNKNOWN}", 404, "MANIFEST_UNKNOWN"),
        (f"alice/app/blobs/{UNKNOWN}", 404, "BLOB_UNKNOWN"),
        (f"alice/app/manifests/{digest_of(LAYER)}", 404, "MANIFEST_UNKNOWN"),
        (f"alice/app/blobs/{digest_of(image(LAYER))}", 404, "BLOB_UNKNOWN"),
        ("alice/missing/manifests/latest", 404, "NAME_UNKNOWN"),
        (f"alice/missing/manifests/{UNKNOWN}", 404, "NAME_UNKNOWN"),
        (f"alice/missing/blobs/{UNKNOWN}", 404, "BLOB_UNKNOWN"),
    ],
)
def test_unknown_content_returns_its_404(
    alice: RegistryClient, method: str, path: str, status: int, code: str
) -> None:
    """Content that was not pushed returns the 404 of its kind."""
    alice.push_image("alice/app", "latest")

    response = alice.request(method, f"/v2/{path}")

    assert response.status_code == status
    if method == "GET":
        assert refusal(response) == (status, code)
    else:
        assert response.data == b""


@pytest.mark.parametrize("accept", [DOCKER_MANIFEST, OCI_INDEX, "text/html", "*/*"])
def test_accept_does_not_change_the_media_type(
    alice: RegistryClient, accept: str
) -> None:
    """A manifest has one type, whatever types the client accepts."""
    manifest = alice.push_image("alice/app", "latest")

    response = alice.get("/v2/alice/app/manifests/latest", headers={"Accept": accept})

    assert response.data == manifest
    assert response.headers["Content-Type"] == OCI_MANIFEST


def test_tag_keeps_a_sha512_digest(alice: RegistryClient) -> None:
    """A tag answers with the digest it was pushed with, whose algorithm may be
    sha512."""
    manifest = alice.push_image("alice/app")
    digest = digest_of(manifest, "sha512")
    alice.put_manifest("alice/app", digest, manifest, query={"tag": "long"})

    for reference in ("long", digest):
        response = alice.get(f"/v2/alice/app/manifests/{reference}")
        assert response.headers["Docker-Content-Digest"] == digest
        assert response.data == manifest


def test_caching_differs_for_digest_and_tag(alice: RegistryClient) -> None:
    """Content named by its digest may be kept, and content named by a tag may not
    be used unasked."""
    manifest = alice.push_image("alice/app", "latest")

    tag = alice.get("/v2/alice/app/manifests/latest")
    digest = alice.get(f"/v2/alice/app/manifests/{digest_of(manifest)}")
    blob = alice.get(f"/v2/alice/app/blobs/{digest_of(LAYER)}")

    assert tag.cache_control.no_cache
    for response in (tag, digest, blob):
        assert response.cache_control.private
        assert response.cache_control.no_transform
    for response in (digest, blob):
        assert response.cache_control.max_age == 31536000
        assert not response.cache_control.no_cache


CONDITIONS = ['"{}"', 'W/"{}"', '"other", "{}"', "*"]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("kind", ["manifests/latest", "manifests/{}", "blobs/{}"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_known_content_returns_304(
    alice: RegistryClient, method: str, kind: str, condition: str
) -> None:
    """A client that has the content already is told so, and sent nothing."""
    digest = digest_of(alice.push_image("alice/app", "latest"))
    if kind.startswith("blobs"):
        digest = digest_of(LAYER)

    response = alice.request(
        method,
        f"/v2/alice/app/{kind.format(digest)}",
        headers={"If-None-Match": condition.format(digest)},
    )

    assert response.status_code == 304
    assert response.data == b""
    assert response.headers["ETag"] == f'"{digest}"'
    assert response.headers["Docker-Content-Digest"] == digest
    assert "Content-Length" not in response.headers
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("kind", ["manifests/latest", "blobs/{}"])
def test_changed_content_is_sent(alice: RegistryClient, kind: str) -> None:
    """A client that has something else is sent what there is now."""
    alice.push_image("alice/app", "latest")
    path = f"/v2/alice/app/{kind.format(digest_of(LAYER))}"

    response = alice.get(path, headers={"If-None-Match": f'"{UNKNOWN}"'})

    assert response.status_code == 200
    assert response.data


@pytest.mark.options(oci_allow_delete_in_use=True)
@pytest.mark.parametrize("kind", ["manifests/{0}", "manifests/latest", "blobs/{1}"])
def test_deleted_content_is_unknown_to_conditional_requests(
    alice: RegistryClient, kind: str
) -> None:
    """After a deletion neither a condition nor a HEAD finds the content."""
    digest = digest_of(alice.push_image("alice/app", "latest"))
    path = f"/v2/alice/app/{kind.format(digest, digest_of(LAYER))}"
    etag = alice.get(path).headers["ETag"]

    assert alice.delete(path).status_code == 202

    assert alice.get(path, headers={"If-None-Match": etag}).status_code == 404
    assert alice.head(path).status_code == 404
    assert alice.get(path).status_code == 404


def test_blob_of_another_repository_is_unknown(alice: RegistryClient) -> None:
    """A blob is unknown in a repository that it was not pushed to."""
    digest = alice.push_blob("alice/app", LAYER)
    alice.push_blob("alice/other", CONFIG)

    response = alice.get(f"/v2/alice/other/blobs/{digest}")

    assert refusal(response) == (404, "BLOB_UNKNOWN")


def test_blob_without_file_is_unknown(alice: RegistryClient, tmp_path: Path) -> None:
    """A blob whose file is lost is unknown, so that clients push it again, which
    repairs it."""
    digest = alice.push_blob("alice/app", LAYER)
    (file,) = [p for p in (tmp_path / "oci" / "blobs").rglob("*") if p.is_file()]
    file.unlink()

    assert alice.head(f"/v2/alice/app/blobs/{digest}").status_code == 404
    alice.push_blob("alice/app", LAYER)
    assert alice.get(f"/v2/alice/app/blobs/{digest}").data == LAYER


@pytest.mark.parametrize("path", ["manifests/latest", f"blobs/{digest_of(LAYER)}"])
@pytest.mark.parametrize("body", ["with length", "chunked"])
def test_get_with_body_is_refused(alice: RegistryClient, path: str, body: str) -> None:
    """A GET that brings a body is refused."""
    alice.push_image("alice/app", "latest")

    response = alice.request(
        "GET", f"/v2/alice/app/{path}", b"surprise", chunked=body == "chunked"
    )

    assert refusal(response) == (400, "UNSUPPORTED")


def test_download_holds_no_database_connection(
    alice: RegistryClient, admin: Administrator
) -> None:
    """A slow download costs no database connection."""
    digest = alice.push_blob("alice/app", bytes(1024 * 1024))

    with alice.get(f"/v2/alice/app/blobs/{digest}", buffered=False) as response:
        pieces: t.Iterator[bytes] = response.iter_encoded()
        received = len(next(pieces))
        assert 0 < received < 1024 * 1024
        assert admin.connections_in_use() == 0
        received += sum(map(len, pieces))

    assert received == 1024 * 1024


@pytest.mark.parametrize("parameter", ["ns=docker.io", "origin=x", "tag=a", "n=-1"])
def test_unknown_parameters_are_ignored(alice: RegistryClient, parameter: str) -> None:
    """A parameter that an endpoint does not have changes nothing."""
    manifest = alice.push_image("alice/app", "latest")

    response = alice.get(f"/v2/alice/app/manifests/latest?{parameter}")

    assert response.data == manifest
