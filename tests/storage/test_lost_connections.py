"""Connections that the database server closes: a client gets 503, and its retry
succeeds."""

from __future__ import annotations

import itertools
import typing as t
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from flask import Flask
from flask import request_finished
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.requests import with_query
from tests.support.host import close_connections
from tests.support.host import DATABASE_URL
from tests.support.host import db
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

pytestmark = pytest.mark.server_only

NAME = "alice/app"
UPLOADS = f"/v2/{NAME}/blobs/uploads/"
MANIFEST = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}

#: Sends a request, or sends it again.
Send = t.Callable[[], TestResponse]


def begin(alice: RegistryClient, content: bytes) -> Send:
    """Begin a session."""
    return lambda: alice.post(UPLOADS)


def mount(alice: RegistryClient, content: bytes) -> Send:
    """Mount a blob that is in another repository, or begin a session."""
    alice.push_blob("alice/other", content)
    query = {"mount": digest_of(content), "from": "alice/other"}
    return lambda: alice.post(UPLOADS, query=query)


def mount_unknown(alice: RegistryClient, content: bytes) -> Send:
    """Ask for a mount of a blob that does not exist, which begins a session."""
    query = {"mount": digest_of(content), "from": "alice/other"}
    return lambda: alice.post(UPLOADS, query=query)


def push(alice: RegistryClient, content: bytes) -> Send:
    """Push a blob in one POST."""
    query = {"digest": digest_of(content)}
    return lambda: alice.post(UPLOADS, content, query=query)


def end(alice: RegistryClient, content: bytes) -> Send:
    """Send the content of a session, and end it."""
    location = alice.post(UPLOADS).headers["Location"]
    path = with_query(location, digest=digest_of(content))
    return lambda: alice.put(path, content)


def push_manifest(alice: RegistryClient, content: bytes) -> Send:
    """Push a manifest with a new tag."""
    alice.push_blob(NAME, content)
    manifest = image(content)
    path = f"/v2/{NAME}/manifests/{digest_of(content)[7:20]}"
    return lambda: alice.put(path, manifest, headers=MANIFEST)


def delete_tag(alice: RegistryClient, content: bytes) -> Send:
    """Delete a tag."""
    tag = digest_of(content)[7:20]
    alice.push_image(NAME, tag)
    return lambda: alice.delete(f"/v2/{NAME}/manifests/{tag}")


def pull(alice: RegistryClient, content: bytes) -> Send:
    """Pull a manifest."""
    alice.push_image(NAME, "pulled")
    return lambda: alice.get(f"/v2/{NAME}/manifests/pulled")


def pull_blob(alice: RegistryClient, content: bytes) -> Send:
    """Pull a blob."""
    alice.push_blob(NAME, content)
    return lambda: alice.get(f"/v2/{NAME}/blobs/{digest_of(content)}")


def get_token(alice: RegistryClient, content: bytes) -> Send:
    """Get a token."""
    scope = {"service": "forge", "scope": f"repository:{NAME}:pull,push"}
    return lambda: alice.get("/v2/token", query=scope)


REQUESTS = (
    *(begin, mount, mount_unknown, push, end, push_manifest, delete_tag),
    *(pull, pull_blob, get_token),
)


@pytest.mark.parametrize("prepare", REQUESTS, ids=lambda each: each.__name__)
def test_connection_closed_before_any_statement_fails_one_request(
    app: Flask,
    alice: RegistryClient,
    prepare: t.Callable[[RegistryClient, bytes], Send],
) -> None:
    """The client gets 503, and the retry succeeds."""
    alice.push_image(NAME, "1.0")
    for number in itertools.count():
        send = prepare(alice, f"{prepare.__name__} {number}".encode())
        with closed_at(app, number) as happened:
            response = send()
        if not happened:
            assert response.status_code < 300
            break
        if response.status_code >= 300:
            assert_unavailable(response, happened[0])
            response = send()
            # A deletion that committed before leaves nothing for the retry.
            gone = prepare is delete_tag and response.status_code == 404
            assert response.status_code < 300 or gone, happened
    assert number > 1
    assert Upkeep(app).fsck() == []


def test_restarted_database_fails_one_request(
    alice: RegistryClient, caplog: pytest.LogCaptureFixture
) -> None:
    """After the server closed all connections, one request gets 503, and the next one
    succeeds."""
    alice.push_image(NAME, "1.0")
    end_connections()
    try:
        assert_unavailable(alice.get(f"/v2/{NAME}/tags/list"), "the first statement")
        again = alice.get(f"/v2/{NAME}/tags/list")
        assert again.status_code == 200, caplog.text[-2000:]
    finally:
        # The pools of other engines may hold connections that the server closed.
        close_connections()


@pytest.mark.parametrize("prepare", REQUESTS, ids=lambda each: each.__name__)
def test_connection_closed_after_the_last_statement_fails_no_request(
    app: Flask,
    alice: RegistryClient,
    prepare: t.Callable[[RegistryClient, bytes], Send],
) -> None:
    """Flask-SQLAlchemy ends the transaction after the response is complete."""
    alice.push_image(NAME, "1.0")
    send = prepare(alice, b"content")

    def close(*_: object, **__: object) -> None:
        # A function of the host has read after the registry.
        db.session.execute(sa.select(1))
        end_connections()

    with request_finished.connected_to(close, app):
        response = send()
    close_connections()
    assert response.status_code < 300


def assert_unavailable(response: TestResponse, statement: str) -> None:
    """Check for a 503 with Retry-After, in the registry's JSON."""
    assert refusal(response) == (503, "UNAVAILABLE"), statement
    assert response.headers["Retry-After"] == "60"


@contextmanager
def closed_at(app: Flask, number: int) -> t.Iterator[list[str]]:
    """Close all connections before one of the statements.

    :param number: the number of the statement, from 0.
    :return: the statement, if it was executed.
    """
    happened: list[str] = []
    left = itertools.count(-number)

    def close(*event: t.Any) -> None:
        if next(left) == 0:
            happened.append(event[2])
            end_connections()

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", close)
    try:
        yield happened
    finally:
        sa.event.remove(engine, "before_cursor_execute", close)
        if happened:
            close_connections()


def end_connections() -> None:
    """Close every connection, as a restarted server does."""
    engine = sa.create_engine(DATABASE_URL or "", poolclass=sa.NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            listed = (
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            end = "SELECT pg_terminate_backend({})"
        else:
            listed = (
                "SELECT id FROM information_schema.processlist"
                " WHERE db = database() AND id <> connection_id()"
            )
            end = "KILL {}"
        for key in connection.scalars(sa.text(listed)).all():
            connection.execute(sa.text(end.format(key)))
    engine.dispose()
