"""Chunked bodies that break off, on a server that presents them as complete.

granian ends ``wsgi.input`` in the same way after the last chunk and after a malformed
one. The digest is then the only proof that a body is complete.
"""

from __future__ import annotations

import typing as t

import pytest

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
from tests.support.raw_http import ask
from tests.support.raw_http import chunk
from tests.support.raw_http import LAST_CHUNK
from tests.support.raw_http import start_upload
from tests.support.raw_http import stored
from tests.support.served import Server
from tests.support.served import serving

CHUNKED = "Transfer-Encoding: chunked"
UPLOADS = "/v2/alice/app/blobs/uploads/"
CONTENT = b"abcdef" * 100_000
HALF = CONTENT[:300_000]

#: Half of the content, followed by an invalid chunk.
BROKEN = {
    "a size that is no number": chunk(HALF) + b"zz\r\nabc\r\n" + LAST_CHUNK,
    "a negative size": chunk(HALF) + b"-3\r\nabc\r\n" + LAST_CHUNK,
    "no size": chunk(HALF) + b"\r\nabc\r\n" + LAST_CHUNK,
    "a line without an end": chunk(HALF) + b"f" * 9000,
    "a chunk longer than its size": (
        b"%x\r\n%s\r\n%s" % (len(HALF), CONTENT, LAST_CHUNK)
    ),
}


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    with serving("granian", tmp_path_factory.mktemp("granian")) as server:
        yield server


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_patch_of_broken_chunks_reports_what_is_stored(
    server: Server, body: bytes
) -> None:
    """The client learns how much arrived, and the upload continues from there."""
    location = start_upload(server.port)
    answer = ask(server.port, "PATCH", location, CHUNKED, body=body)
    assert answer.status == 202
    assert answer.headers["range"] == f"0-{len(HALF) - 1}"
    assert stored(server.port, location) == f"0-{len(HALF) - 1}"
    put = with_query(location, digest=digest_of(CONTENT))
    size = f"Content-Length: {len(HALF)}"
    answer = ask(server.port, "PUT", put, size, body=CONTENT[len(HALF) :])
    assert answer.status == 201, answer
    assert ask(server.port, "GET", answer.headers["location"]).body == CONTENT


@pytest.mark.parametrize(("name", "body"), BROKEN.items(), ids=BROKEN)
def test_put_of_broken_chunks_stores_no_blob(
    server: Server, name: str, body: bytes
) -> None:
    """The digest does not match, and the session stays as it was."""
    content = CONTENT + name.encode()
    location = start_upload(server.port)
    put = with_query(location, digest=digest_of(content))
    answer = ask(server.port, "PUT", put, CHUNKED, body=body)
    assert answer.refusal() == (400, "DIGEST_INVALID")
    blob = f"/v2/alice/app/blobs/{digest_of(content)}"
    assert ask(server.port, "GET", blob).status == 404
    put = with_query(location, digest=digest_of(content))
    size = f"Content-Length: {len(content)}"
    assert ask(server.port, "PUT", put, size, body=content).status == 201


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_post_of_broken_chunks_leaves_nothing(server: Server, body: bytes) -> None:
    """A blob in a single POST is refused, and no file is left."""
    before = server.files()
    post = with_query(UPLOADS, digest=digest_of(CONTENT + b"post"))
    answer = ask(server.port, "POST", post, CHUNKED, body=body)
    assert answer.refusal() == (400, "DIGEST_INVALID")
    assert server.files() == before


@pytest.mark.parametrize("reference", ["latest", "digest"])
def test_put_of_a_broken_manifest_is_refused(server: Server, reference: str) -> None:
    """A part of a JSON object is not valid JSON, so a tag needs no digest."""
    content = image(config=b"{}")
    reference = digest_of(content) if reference == "digest" else reference
    target = f"/v2/alice/app/manifests/{reference}"
    lines = (CHUNKED, f"Content-Type: {OCI_MANIFEST}")
    body = chunk(content[:-1]) + b"zz\r\n"
    answer = ask(server.port, "PUT", target, *lines, body=body)
    assert answer.status == 400
    answer.assert_refused()
    assert ask(server.port, "GET", target).status == 404
