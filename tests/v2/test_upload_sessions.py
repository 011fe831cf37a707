"""Upload sessions: chunks and their order."""

from __future__ import annotations

import pytest

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import with_query
from tests.support.registry_client import RegistryClient
from tests.support.upload_steps import close
from tests.support.upload_steps import CONTENT
from tests.support.upload_steps import DIGEST
from tests.support.upload_steps import expect_bytes
from tests.support.upload_steps import HALF


def _chunk(first: int, last: int) -> dict[str, str]:
    return {"Content-Range": f"{first}-{last}"}


@pytest.mark.parametrize("announced", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "length"])
@pytest.mark.parametrize("last_in_put", [True, False], ids=["PUT last", "PUT empty"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_chunks_of_every_form_make_a_blob(
    alice: RegistryClient,
    announced: bool,
    chunked: bool,
    last_in_put: bool,
    algorithm: str,
) -> None:
    """A blob is pushed in chunks, in every form that clients have of it."""
    location = alice.start_upload("alice/app")
    chunks = [(0, 999), (1000, 1000), (1001, 2047)]
    for first, last in chunks[:-1] if last_in_put else chunks:
        response = alice.patch(
            location,
            CONTENT[first : last + 1],
            headers=_chunk(first, last) if announced else {},
            chunked=chunked,
        )
        assert response.status_code == 202
        assert response.headers["Range"] == f"0-{last}"
        assert response.headers["Docker-Upload-UUID"] in location
        assert response.headers["Content-Length"] == "0"
        location = response.headers["Location"]
        expect_bytes(alice, location, last + 1)

    digest = digest_of(CONTENT, algorithm)
    response = alice.put(
        with_query(location, digest=digest),
        CONTENT[1001:] if last_in_put else b"",
        headers=_chunk(1001, 2047) if announced and last_in_put else {},
        chunked=chunked and last_in_put,
    )

    assert response.status_code == 201
    assert response.headers["Docker-Content-Digest"] == digest
    assert alice.get(response.headers["Location"]).data == CONTENT


def test_session_new_has_range_of_no_bytes(alice: RegistryClient) -> None:
    """A session that has nothing says so as well as a range can."""
    expect_bytes(alice, alice.start_upload("alice/app"), 0)


def test_session_cancelled_is_unknown(alice: RegistryClient) -> None:
    """A cancelled session is unknown from then on."""
    location = alice.start_upload("alice/app")
    alice.patch(location, b"bytes")

    response = alice.delete(location)

    assert response.status_code == 204
    assert response.data == b""
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        again = alice.request(method, with_query(location, digest=DIGEST))
        assert refusal(again) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_session_finished_is_unknown(alice: RegistryClient) -> None:
    """A session that has become a blob is no session any more."""
    location = alice.start_upload("alice/app")
    assert close(alice, location, CONTENT).status_code == 201

    for method in ("GET", "PATCH", "PUT", "DELETE"):
        again = alice.request(method, with_query(location, digest=DIGEST))
        assert refusal(again) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert alice.get(f"/v2/alice/app/blobs/{DIGEST}").data == CONTENT


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    ("first", "last"),
    [(HALF + 1, HALF + 10), (2 * HALF, 2 * HALF + 9), (0, 9), (HALF - 1, HALF + 8)],
    ids=["gap", "far", "replayed", "overlapping"],
)
def test_chunk_out_of_order_returns_416_with_position(
    alice: RegistryClient, method: str, first: int, last: int
) -> None:
    """A chunk that is not the next is a 416 that says where to go on, and the
    session can be finished from there."""
    location = alice.start_upload("alice/app")
    alice.patch(location, CONTENT[:HALF])

    response = alice.request(
        method,
        with_query(location, digest=DIGEST),
        bytes(last + 1 - first),
        headers=_chunk(first, last),
    )

    assert refusal(response) == (416, "BLOB_UPLOAD_INVALID")
    assert response.headers["Location"] == location
    assert response.headers["Range"] == f"0-{HALF - 1}"
    assert response.headers["Docker-Upload-UUID"] in location
    expect_bytes(alice, location, HALF)
    assert close(alice, location, CONTENT[HALF:]).status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_chunk_first_must_begin_at_zero(alice: RegistryClient, method: str) -> None:
    """The first chunk begins at the first byte."""
    location = alice.start_upload("alice/app")

    response = alice.request(
        method, with_query(location, digest=DIGEST), b"x", headers=_chunk(1, 1)
    )

    assert refusal(response) == (416, "BLOB_UPLOAD_INVALID")
    expect_bytes(alice, location, 0)
    assert close(alice, location, CONTENT).status_code == 201


@pytest.mark.sqlite_only
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    "header", ["", "0", "0-", "-9", "9-0", "a-b", "0-9-19", "+0-9", "0-1e1", "0 - 9"]
)
def test_content_range_malformed_returns_400(
    alice: RegistryClient, method: str, header: str
) -> None:
    """A Content-Range that is none is a 400, and the chunk is not taken."""
    location = alice.start_upload("alice/app")

    response = alice.request(
        method,
        with_query(location, digest=DIGEST),
        bytes(10),
        headers={"Content-Range": header},
    )

    assert refusal(response) == (400, "BLOB_UPLOAD_INVALID")
    expect_bytes(alice, location, 0)


@pytest.mark.parametrize("header", ["bytes 0-9/*", "bytes 0-9/10", "bytes=0-9", "0-9"])
def test_content_range_in_http_form_is_accepted(
    alice: RegistryClient, header: str
) -> None:
    """A Content-Range is understood in the form that HTTP has of it, too."""
    location = alice.start_upload("alice/app")

    response = alice.patch(location, bytes(10), headers={"Content-Range": header})

    assert response.status_code == 202
    assert response.headers["Range"] == "0-9"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "length"])
def test_chunk_longer_than_content_range_is_refused(
    alice: RegistryClient, method: str, chunked: bool
) -> None:
    """A chunk that is longer than its Content-Range is not taken."""
    location = alice.start_upload("alice/app")

    response = alice.request(
        method,
        with_query(location, digest=DIGEST),
        CONTENT,
        headers=_chunk(0, 9),
        chunked=chunked,
    )

    assert refusal(response) == (400, "SIZE_INVALID")
    expect_bytes(alice, location, 0)
    assert close(alice, location, CONTENT).status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "length"])
def test_chunk_shorter_than_content_range_is_an_error(
    alice: RegistryClient, method: str, chunked: bool
) -> None:
    """A chunk that is shorter than its Content-Range is an error, and the status
    tells what came of it."""
    location = alice.start_upload("alice/app")

    response = alice.request(
        method,
        with_query(location, digest=DIGEST),
        CONTENT[:10],
        headers=_chunk(0, len(CONTENT) - 1),
        chunked=chunked,
    )

    assert refusal(response) == (400, "SIZE_INVALID")
    last = int(alice.get(location).headers["Range"].partition("-")[2])
    assert last in (0, 9)
    rest = CONTENT[last + 1 if last else 0 :]
    assert close(alice, location, rest).status_code == 201


def test_finish_wrong_digest_keeps_the_session(alice: RegistryClient) -> None:
    """A session that was closed with the wrong digest can be closed with the right
    one, and what the failed request brought is forgotten."""
    location = alice.start_upload("alice/app")
    alice.patch(location, CONTENT[:HALF])

    assert refusal(close(alice, location, b"wrong")) == (400, "DIGEST_INVALID")

    expect_bytes(alice, location, HALF)
    assert close(alice, location, CONTENT[HALF:]).status_code == 201


def test_session_earlier_locations_stay_valid(alice: RegistryClient) -> None:
    """Every location that was given for a session goes on leading to it, whatever
    parameters a client has put behind it."""
    first = alice.start_upload("alice/app")
    second = alice.patch(first, CONTENT[:HALF]).headers["Location"]
    with_digest = with_query(first, digest=digest_of(b"something else"))

    expect_bytes(alice, with_digest, HALF)
    assert alice.patch(with_digest, CONTENT[HALF:]).status_code == 202
    expect_bytes(alice, second, len(CONTENT))
    assert close(alice, with_query(first, other="x")).status_code == 201
