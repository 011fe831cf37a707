"""Upload sessions: ownership, and several requests at the same time."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.upload_steps import close
from tests.support.upload_steps import CONTENT
from tests.support.upload_steps import DIGEST
from tests.support.upload_steps import expect_bytes
from tests.support.upload_steps import HALF


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "session",
    [
        NO_SESSION,
        NO_SESSION.upper().replace("0", "A"),
        "1",
        "..",
        "%2e%2e%2f%2e%2e%2fblobs",
        "%2e%2e",
        "%00",
        "a" * 8192,
        NO_SESSION + "%0a",
        "\u0663",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_session_unknown_returns_404(
    alice: RegistryClient, method: str, session: str
) -> None:
    """A session that does not exist is unknown, whatever its identifier looks like."""
    alice.push_blob("alice/app", b"the repository exists")

    response = alice.request(
        method,
        f"/v2/alice/app/blobs/uploads/{session}?digest={DIGEST}",
        CONTENT if method in ("PATCH", "PUT") else None,
    )

    if "/" in session.replace("%2f", "/"):
        # A slash makes it another address, which has no endpoint.
        assert refusal(response)[0] == 404
    else:
        assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.fixture(name="open_app")
def _open_app(make_app: MakeApp) -> Flask:
    """An application in which everybody may do everything."""
    return make_app(authorize=lambda user, action, repository: user is not None)


METHODS = ["GET", "PATCH", "PUT", "DELETE"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("whose", ["another user", "another repository", "both"])
def test_session_of_another_user_or_repository_is_unknown(
    open_app: Flask, method: str, whose: str
) -> None:
    """A session of another user or repository looks like one that does not exist, and
    is not changed."""
    alice = RegistryClient.of(open_app, "alice")
    bob = RegistryClient.of(open_app, "bob")
    location = alice.start_upload("alice/app")
    alice.patch(location, CONTENT[:HALF])
    alice.start_upload("alice/other")
    asking = alice if whose == "another repository" else bob
    uuid = location.rpartition("/")[2]
    name = "alice/app" if whose == "another user" else "alice/other"

    def ask(uuid: str) -> TestResponse:
        path = f"/v2/{name}/blobs/uploads/{uuid}?digest={DIGEST}"
        return asking.request(method, path, CONTENT[HALF:])

    if method == "GET":
        known, unknown = (
            asking.get(f"/v2/{name}/blobs/uploads/{u}") for u in (uuid, NO_SESSION)
        )
    else:
        known, unknown = ask(uuid), ask(NO_SESSION)

    assert refusal(known) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert known.data.replace(uuid.encode(), NO_SESSION.encode()) == unknown.data
    assert dict(known.headers) == dict(unknown.headers)
    expect_bytes(alice, location, HALF)
    assert close(alice, location, CONTENT[HALF:]).status_code == 201


@pytest.mark.parametrize("method", METHODS)
def test_session_without_credentials_is_refused(
    alice: RegistryClient, anonymous: RegistryClient, method: str
) -> None:
    """The address of a session does not replace credentials."""
    location = alice.start_upload("alice/app")

    response = anonymous.request(method, with_query(location, digest=DIGEST))

    assert refusal(response) == (401, "UNAUTHORIZED")
    expect_bytes(alice, location, 0)


def test_session_after_losing_permission_cannot_be_finished(make_app: MakeApp) -> None:
    """A user who may not push any more cannot finish what they began."""
    alice = RegistryClient.of(make_app(), "alice")
    location = alice.start_upload("alice/app")

    later = make_app(authorize=lambda user, action, repository: action == "pull")

    assert refusal(close(RegistryClient.of(later, "alice"), location, CONTENT)) == (
        403,
        "DENIED",
    )


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_session_second_writer_is_refused(alice: RegistryClient, method: str) -> None:
    """While one request writes to a session, another one is told to wait, and
    their bytes never mix."""
    location = alice.start_upload("alice/app")
    answers: list[TestResponse] = []

    def interrupt() -> None:
        if not answers:
            answers.append(
                alice.request(method, with_query(location, digest=DIGEST), b"rival")
            )

    source = Source(CONTENT, interrupt)
    response = alice.patch(location, environ=source.environ(len(CONTENT)))

    assert response.status_code == 202
    assert refusal(answers[0]) == (416, "BLOB_UPLOAD_INVALID")
    expect_bytes(alice, location, len(CONTENT))
    assert close(alice, location).status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_session_cancelled_during_upload_stays_cancelled(
    alice: RegistryClient, method: str
) -> None:
    """A session that is cancelled under a request stays cancelled, and the request
    gets an answer."""
    location = alice.start_upload("alice/app")
    answers: list[TestResponse] = []

    def interrupt() -> None:
        if not answers:
            answers.append(alice.delete(location))

    source = Source(CONTENT, interrupt)
    response = alice.request(
        method,
        with_query(location, digest=DIGEST),
        environ=source.environ(len(CONTENT)),
    )

    assert answers[0].status_code == 204
    assert response.status_code in (201, 202, 404)
    assert refusal(alice.get(location)) == (404, "BLOB_UPLOAD_UNKNOWN")
