"""Pushing blobs, whole and in one piece."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import OCTETS
from flask_oci.testing.manifests import UNKNOWN
from flask_oci.testing.requests import with_query
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source

MIB = 1024 * 1024
UPLOADS = "/v2/alice/app/blobs/uploads/"

CONTENTS = [b"", b"x", b"some bytes", bytes(range(256)) * 4096, "ä".encode("utf-16")]


@pytest.mark.parametrize("content", CONTENTS, ids=["empty", "1", "10", "1M", "utf-16"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_post_then_put(
    alice: RegistryClient, content: bytes, algorithm: str, chunked: bool
) -> None:
    """A blob is pushed by asking where to, and sending it there."""
    digest = digest_of(content, algorithm)
    location = with_query(alice.start_upload("alice/app"), digest=digest)

    response = alice.put(location, content, chunked=chunked)

    assert response.status_code == 201
    assert response.headers["Location"] == f"/v2/alice/app/blobs/{digest}"
    assert response.headers["Docker-Content-Digest"] == digest
    assert response.headers["Content-Length"] == "0"
    assert alice.get(response.headers["Location"]).data == content


@pytest.mark.parametrize("content", CONTENTS, ids=["empty", "1", "10", "1M", "utf-16"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_single_post(
    alice: RegistryClient, content: bytes, algorithm: str, chunked: bool
) -> None:
    """A blob is pushed in one request, whose answer says where it is now."""
    digest = digest_of(content, algorithm)

    response = alice.post(UPLOADS, content, query={"digest": digest}, chunked=chunked)

    assert response.status_code == 201
    assert response.headers["Location"] == f"/v2/alice/app/blobs/{digest}"
    assert response.headers["Docker-Content-Digest"] == digest
    assert response.headers["Content-Length"] == "0"
    assert alice.get(response.headers["Location"]).data == content


def test_session_response_has_all_headers(alice: RegistryClient) -> None:
    """A session begins with all that a client needs to go on with it."""
    response = alice.post(UPLOADS)

    assert response.status_code == 202
    uuid = response.headers["Docker-Upload-UUID"]
    assert response.headers["Location"] == UPLOADS + uuid
    assert response.headers["Range"] == "0-0"
    assert response.headers["Content-Length"] == "0"
    assert "OCI-Chunk-Min-Length" not in response.headers


@pytest.mark.options(oci_chunk_min_length=4096)
def test_chunk_min_length_is_announced(alice: RegistryClient) -> None:
    """A registry with a least size of chunks says so."""
    assert alice.post(UPLOADS).headers["OCI-Chunk-Min-Length"] == "4096"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("closed_with", ["sha256", "sha512"])
def test_digest_algorithm(
    alice: RegistryClient, algorithm: str, closed_with: str
) -> None:
    """A session is told which algorithm to expect, and closed with either."""
    query = {"digest-algorithm": algorithm}
    response = alice.post(UPLOADS, query=query)
    assert response.status_code == 202
    location = alice.patch(response.headers["Location"], b"bytes").headers["Location"]
    digest = digest_of(b"bytes", closed_with)

    assert alice.put(with_query(location, digest=digest)).status_code == 201
    assert alice.get(f"/v2/alice/app/blobs/{digest}").data == b"bytes"


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha384", "SHA256", "", "../x"])
def test_session_unsupported_algorithm_is_refused(
    alice: RegistryClient, algorithm: str
) -> None:
    """A session for an algorithm that cannot be verified is refused."""
    response = alice.post(UPLOADS, query={"digest-algorithm": algorithm})

    assert refusal(response) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH and PUT"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_push_wrong_digest_stores_nothing(
    alice: RegistryClient, method: str, algorithm: str
) -> None:
    """Content that does not have the digest it is sent under is not stored."""
    digest = digest_of(b"the right bytes", algorithm)
    if method == "POST":
        response = alice.post(UPLOADS, b"the wrong bytes", query={"digest": digest})
    else:
        location, body = alice.start_upload("alice/app"), b"the wrong bytes"
        if method.startswith("PATCH"):
            assert alice.patch(location, body).status_code == 202
            body = b""
        response = alice.put(with_query(location, digest=digest), body)

    assert refusal(response) == (400, "DIGEST_INVALID")
    assert alice.head(f"/v2/alice/app/blobs/{digest}").status_code == 404
    wrong = digest_of(b"the wrong bytes", algorithm)
    assert alice.head(f"/v2/alice/app/blobs/{wrong}").status_code == 404


HEX = "ab" * 32
MALFORMED = {
    "empty": "",
    "no algorithm": HEX,
    "no digits": "sha256:",
    "short": "sha256:" + HEX[:-1],
    "long": "sha256:" + HEX + "a",
    "upper-case digits": "sha256:" + HEX.upper(),
    "upper-case name": "SHA256:" + HEX,
    "no hexadecimal": "sha256:" + "g" * 64,
    "two colons": "sha256::" + HEX,
    "md5": "md5:" + "ab" * 16,
    "sha1": "sha1:" + "ab" * 20,
    "sha384": "sha384:" + "ab" * 48,
    "sha512 with the digits of sha256": "sha512:" + HEX,
    "traversal": "sha256:" + "../" * 20 + "etc/passwd",
    "traversal in the name": "../sha256:" + HEX,
    "10 kB": "sha256:" + "a" * 10_000,
    "line feed": "sha256:" + HEX + "\n",
    "NUL": "sha256:" + HEX[:-1] + "\0",
    "digits of another script": "sha256:" + "\u0663" * 64,
    "wide": "sha256:" + "\uff41" * 64,
    "spec's own": "sha256:baddigeststring",
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("digest", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("place", ["POST", "PUT", "mount"])
def test_push_malformed_digest_returns_400(
    alice: RegistryClient, place: str, digest: str
) -> None:
    """A digest that is malformed or of an unsupported algorithm returns 400
    everywhere."""
    if place == "PUT":
        location = with_query(alice.start_upload("alice/app"), digest=digest)
        response = alice.put(location, b"content")
    else:
        parameter = "digest" if place == "POST" else "mount"
        response = alice.post(UPLOADS, b"content", query={parameter: digest})

    assert refusal(response) == (400, "DIGEST_INVALID")


def test_finish_without_digest_keeps_the_session(alice: RegistryClient) -> None:
    """A session cannot be closed without saying what it holds, and stays open."""
    location = alice.start_upload("alice/app")

    assert refusal(alice.put(location, b"content")) == (400, "DIGEST_INVALID")

    right = with_query(location, digest=digest_of(b"content"))
    assert alice.put(right, b"content").status_code == 201


def test_blob_is_known_by_its_verified_digest_only(alice: RegistryClient) -> None:
    """A blob can be had under the digest it was verified by, and no other."""
    alice.push_blob("alice/app", b"bytes", "sha512")

    other = digest_of(b"bytes", "sha256")

    assert alice.head(f"/v2/alice/app/blobs/{other}").status_code == 404


def test_push_existing_blob_succeeds(alice: RegistryClient) -> None:
    """Pushing what is there already succeeds, in every way of pushing."""
    digest = alice.push_blob("alice/app", b"bytes")

    assert alice.push_blob("alice/app", b"bytes") == digest
    location = with_query(alice.start_upload("alice/app"), digest=digest)
    assert alice.put(location, b"bytes").status_code == 201
    assert alice.get(f"/v2/alice/app/blobs/{digest}").data == b"bytes"


def test_push_of_known_blob_uses_up_no_key(alice: RegistryClient) -> None:
    """The keys of blobs last for as many blobs, however often each is pushed."""
    Blob = registry.models.Blob
    for content in (b"one", b"one", b"one", b"two"):
        alice.push_blob("alice/app", content)
    with alice.app.app_context():
        first, second = db.session.scalars(sa.select(Blob.id).order_by(Blob.id))
    assert second == first + 1


@pytest.mark.parametrize(
    "content_type",
    [
        OCTETS,
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; charset=utf-16",
    ],
)
def test_push_content_type_is_ignored(alice: RegistryClient, content_type: str) -> None:
    """A blob is bytes, whatever else a client calls it."""
    content = b'a=b&c=d\r\n--x\r\n{"json": true}'
    digest = digest_of(content)
    headers = {"Content-Type": content_type}

    response = alice.post(UPLOADS, content, query={"digest": digest}, headers=headers)

    assert response.status_code == 201
    assert alice.get(f"/v2/alice/app/blobs/{digest}").data == content


def test_session_with_or_without_trailing_slash_begins(alice: RegistryClient) -> None:
    """A session begins with and without a slash at the end, and no redirect."""
    assert alice.post("/v2/alice/app/blobs/uploads").status_code == 202
    assert alice.post("/v2/alice/app/blobs/uploads/").status_code == 202


@pytest.mark.options(oci_max_blob_size=1000)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_push_too_large_blob_returns_413(
    alice: RegistryClient, tmp_path: Path, method: str, chunked: bool
) -> None:
    """A blob that is larger than it may be is a 413, and nothing of it stays."""
    content = bytes(1001)
    query = {"digest": digest_of(content)}
    path = UPLOADS if method == "POST" else alice.start_upload("alice/app")

    response = alice.request(method, path, content, query=query, chunked=chunked)

    assert refusal(response) == (413, "SIZE_INVALID")
    assert alice.head(f"/v2/alice/app/blobs/{query['digest']}").status_code == 404
    folder = tmp_path / "oci"
    files = [p for p in folder.rglob("*/*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) == 0


@pytest.mark.options(oci_max_blob_size=1000)
def test_chunk_over_the_limit_keeps_the_session(alice: RegistryClient) -> None:
    """The limit is for the whole blob, and a session that met it can be closed."""
    location = alice.start_upload("alice/app")
    assert alice.patch(location, bytes(600)).status_code == 202

    assert refusal(alice.patch(location, bytes(600))) == (413, "SIZE_INVALID")

    digest = digest_of(bytes(1000))
    response = alice.put(with_query(location, digest=digest), bytes(400))
    assert response.status_code == 201


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("length", [4 * MIB, None], ids=["length", "chunked"])
def test_bodies_are_read_in_pieces(
    alice: RegistryClient, admin: Administrator, method: str, length: int | None
) -> None:
    """A blob of any size takes little memory, and no database connection while it
    arrives."""
    in_use: list[int] = []
    source = Source(bytes(4 * MIB), lambda: in_use.append(admin.connections_in_use()))
    path = UPLOADS if method == "POST" else alice.start_upload("alice/app")
    query = {"digest": digest_of(bytes(4 * MIB))}

    response = alice.request(method, path, query=query, environ=source.environ(length))

    assert response.status_code in (201, 202)
    assert len(source.reads) >= 4
    assert min(source.reads) > 0
    assert max(source.reads) <= MIB
    assert set(in_use) == {0}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_server_that_hides_chunked_bodies(
    alice: RegistryClient, method: str, chunked: bool
) -> None:
    """A body that the server does not hand on is a 501, not an empty blob."""
    source = io.BufferedReader(io.BytesIO(b"content"))
    hidden = {"wsgi.input": source, "wsgi.input_terminated": False} if chunked else {}
    path = UPLOADS if method == "POST" else alice.start_upload("alice/app")
    query = {"digest": digest_of(b"content" if chunked else b"")}

    response = alice.request(
        method,
        path,
        b"content" if chunked else b"",
        query=query,
        chunked=chunked,
        environ=hidden,
    )

    if chunked:
        assert response.status_code == 501
        assert "chunked" in response.get_json()["errors"][0]["message"]
    else:
        assert response.status_code in (201, 202)


def test_push_without_permission_leaves_nothing(
    bob: RegistryClient, tmp_path: Path
) -> None:
    """A push without permission leaves no bytes and no repository."""
    response = bob.post(UPLOADS, b"content", query={"digest": digest_of(b"content")})

    assert refusal(response) == (403, "DENIED")
    assert not [p for p in (tmp_path / "oci").rglob("*") if p.is_file()]


def test_push_unfinished_digest_is_unknown(alice: RegistryClient) -> None:
    """Beginning to push a digest does not make it known."""
    location = with_query(alice.start_upload("alice/app"), digest=UNKNOWN)

    assert refusal(alice.put(location)) == (400, "DIGEST_INVALID")
    assert alice.head(f"/v2/alice/app/blobs/{UNKNOWN}").status_code == 404
