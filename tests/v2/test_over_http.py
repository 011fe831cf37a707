"""Requests over a real connection: bodies without a length, and kept connections."""

from __future__ import annotations

import http.client
import socket
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping

import pytest
from flask import Flask

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.sqlite_only

CREDENTIALS = {"Authorization": basic("alice", "wonderland")}
CONTENT = bytes(range(256)) * 4096


class Answer(t.NamedTuple):
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Wire:
    """One connection to a server, which is kept open between requests."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; an iterable is sent in chunks."""
        chunked = body is not None and not isinstance(body, bytes)
        sent = {**CREDENTIALS, **(headers or {})}
        if chunked:
            sent["Transfer-Encoding"] = "chunked"
        self.connection.request(method, path, body, sent, encode_chunked=chunked)
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())


@pytest.fixture(name="wire")
def _wire(app: Flask, serve: t.Callable[[Flask], int]) -> t.Iterator[Wire]:
    wire = Wire(serve(app))
    yield wire
    wire.connection.close()


def _pieces(content: bytes = CONTENT) -> Iterable[bytes]:
    return (content[i : i + 100_000] for i in range(0, len(content), 100_000))


def test_streamed_patch(wire: Wire) -> None:
    """A layer is pushed as Docker does it: a POST, one PATCH of unknown length, an
    empty PUT."""
    start = wire.send("POST", "/v2/alice/app/blobs/uploads/", b"")
    assert start.status == 202
    assert start.headers["Content-Length"] == "0"

    patch = wire.send("PATCH", start.headers["Location"], _pieces())
    assert patch.status == 202
    assert patch.headers["Range"] == f"0-{len(CONTENT) - 1}"

    digest = digest_of(CONTENT)
    put = wire.send("PUT", with_query(patch.headers["Location"], digest=digest), b"")
    assert put.status == 201
    assert wire.send("GET", put.headers["Location"]).body == CONTENT


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_streamed_put(wire: Wire, algorithm: str) -> None:
    """A blob of unknown length is pushed in the closing PUT."""
    start = wire.send("POST", "/v2/alice/app/blobs/uploads/", b"")
    digest = digest_of(CONTENT, algorithm)
    location = with_query(start.headers["Location"], digest=digest)

    put = wire.send("PUT", location, _pieces())

    assert put.status == 201
    assert wire.send("GET", put.headers["Location"]).body == CONTENT


def test_streamed_post(wire: Wire) -> None:
    """A blob of unknown length is pushed in one POST."""
    path = with_query("/v2/alice/app/blobs/uploads/", digest=digest_of(CONTENT))

    post = wire.send("POST", path, _pieces())

    assert post.status == 201
    assert wire.send("GET", post.headers["Location"]).body == CONTENT


def test_streamed_manifest(wire: Wire, alice: RegistryClient) -> None:
    """A manifest of unknown length is stored byte for byte."""
    manifest = alice.push_image("alice/app")

    put = wire.send(
        "PUT",
        "/v2/alice/app/manifests/latest",
        [manifest[:10], manifest[10:]],
        headers={"Content-Type": OCI_MANIFEST},
    )

    assert put.status == 201
    assert wire.send("GET", put.headers["Location"]).body == manifest


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", "/v2/alice/app/blobs/uploads/unknown", 404),
        ("PUT", "/v2/alice/app/manifests/-invalid", 400),
        ("POST", "/v2/bob/app/blobs/uploads/", 403),
        ("PUT", "/v2/alice/app/blobs/sha256:nothing", 405),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_refusal_of_a_body(
    wire: Wire, method: str, path: str, status: int, streamed: bool
) -> None:
    """A client that is still sending gets the refusal, and can go on using the
    connection."""
    refused = wire.send(method, path, _pieces() if streamed else CONTENT)

    assert refused.status == status
    assert refused.headers["Content-Type"] == "application/json"
    assert wire.send("GET", "/v2/").status == 200


@pytest.mark.options(oci_max_manifest_size=1000)
@pytest.mark.parametrize("streamed", [True, False])
def test_manifest_that_is_too_large(wire: Wire, streamed: bool) -> None:
    """A manifest beyond the limit is a 413 that the client gets to read."""
    manifest = image(LAYER, annotations={"x": "y" * 1000})

    put = wire.send(
        "PUT",
        "/v2/alice/app/manifests/latest",
        _pieces(manifest) if streamed else manifest,
        headers={"Content-Type": OCI_MANIFEST},
    )

    assert put.status == 413
    assert wire.send("GET", "/v2/alice/app/manifests/latest").status == 404


@pytest.mark.parametrize("header", [{}, {"Range": "bytes=100-199"}])
def test_head_keeps_the_connection(
    wire: Wire, alice: RegistryClient, header: dict[str, str]
) -> None:
    """HEAD tells a length and sends nothing, so that the next answer is in its
    place."""
    digest = alice.push_blob("alice/app", CONTENT)

    head = wire.send("HEAD", f"/v2/alice/app/blobs/{digest}", headers=header)

    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(CONTENT))
    assert wire.send("GET", "/v2/").status == 200


@pytest.mark.parametrize("range_", ["bytes=5-9", "bytes=5-9,20-29", "bytes=-5"])
def test_range(wire: Wire, alice: RegistryClient, range_: str) -> None:
    """A range has the length that its header says."""
    digest = alice.push_blob("alice/app", CONTENT)

    part = wire.send("GET", f"/v2/alice/app/blobs/{digest}", headers={"Range": range_})

    assert part.status == 206
    assert part.headers["Content-Length"] == str(len(part.body))
    assert wire.send("GET", "/v2/").status == 200


def test_not_modified(wire: Wire, alice: RegistryClient) -> None:
    """An answer without content leaves the connection in order."""
    digest = alice.push_blob("alice/app", CONTENT)
    path = f"/v2/alice/app/blobs/{digest}"

    known = wire.send("GET", path, headers={"If-None-Match": f'"{digest}"'})

    assert (known.status, known.body) == (304, b"")
    assert wire.send("GET", path).body == CONTENT


def test_truncated_body_is_resumed(
    app: Flask, serve: t.Callable[[Flask], int], alice: RegistryClient
) -> None:
    """When a connection breaks in the middle of a chunk, the session goes on from
    what was stored."""
    port = serve(app)
    location = alice.start_upload("alice/app")
    head = (
        f"PATCH {location} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {CREDENTIALS['Authorization']}\r\n"
        f"Content-Length: {len(CONTENT)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode() + CONTENT[:300_000])
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400 ")
    first, _, last = alice.get(location).headers["Range"].partition("-")
    stored = int(last) + 1
    assert (first, stored <= 300_000) == ("0", True)
    rest = CONTENT[stored:] if last != "0" else CONTENT
    location = with_query(location, digest=digest_of(CONTENT))
    assert alice.put(location, rest).status_code == 201
