"""Uploads to a bucket whose completion was refused, or whose commit had no answer."""

from __future__ import annotations

import typing as t
from itertools import count

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from flask_oci.errors import Unavailable
from flask_oci.testing import MemoryBucket
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.two_nodes import BLOB
from tests.support.two_nodes import CONTENT
from tests.support.two_nodes import DIGEST
from tests.support.two_nodes import NAME
from tests.support.two_nodes import World

PART: t.Final = 1000


class UnreachableBucket(MemoryBucket):
    """A bucket that completes no multipart upload, until it is told to."""

    is_reachable = True

    def complete(self, *args: t.Any) -> None:
        if not self.is_reachable:
            raise Unavailable
        super().complete(*args)


@pytest.fixture(name="bucket")
def _bucket() -> UnreachableBucket:
    return UnreachableBucket(PART)


@pytest.fixture(name="nodes")
def _nodes(
    make_app: MakeApp, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> list[RegistryClient]:
    """Clients of two nodes, which do not wait for each other's leases."""
    monkeypatch.setattr("flask_oci.storage.buckets.sessions.PATIENCE", 0.0)
    apps = [make_app(OCI_STORAGE=bucket) for _ in range(2)]
    return [RegistryClient.of(app, "alice") for app in apps]


def _send(client: RegistryClient, location: str, start: int, stop: int) -> str:
    response = client.patch(location, CONTENT[start:stop])
    assert response.status_code == 202, response.text
    assert response.headers["Range"] == f"0-{stop - 1}"
    assert client.get(location).headers["Range"] == f"0-{stop - 1}"
    return response.headers["Location"]


def _finish(client: RegistryClient, location: str, length: int) -> TestResponse:
    path = with_query(location, digest=digest_of(CONTENT[:length]))
    return client.put(path)


@pytest.mark.parametrize("sent", [700, 1500, 2000, 2500])
@pytest.mark.parametrize("more", [10, 1074])
@pytest.mark.parametrize("first", [0, 100], ids=["one chunk", "two chunks"])
def test_upload_goes_on_after_its_blob_was_refused(
    app: Flask, nodes: list[RegistryClient], first: int, sent: int, more: int
) -> None:
    """The bytes of a refused blob are stored. Another node appends to the session,
    which has no lease, and all acknowledged bytes become the blob."""
    alice, other = nodes
    location = alice.start_upload(NAME)
    if first:
        location = _send(alice, location, 0, first)
    location = _send(alice, location, first, sent)
    with app.app_context():
        blocked = digest_of(CONTENT[:sent])
        registry.blocks.add(blocked, path="*", reason="leaked")
    assert refusal(_finish(alice, location, sent)) == (403, "DENIED")
    location = _send(other, location, sent, sent + more)
    assert refusal(_finish(other, location, sent)) == (400, "DIGEST_INVALID")
    assert _finish(alice, location, sent + more).status_code == 201
    assert other.blob(NAME, digest_of(CONTENT[: sent + more])) == CONTENT[: sent + more]


def test_upload_goes_on_behind_a_short_part(
    nodes: list[RegistryClient], bucket: UnreachableBucket
) -> None:
    """A store accepts a short part only as the last one. The closing request has sent
    it when the store fails, and the client then appends more bytes."""
    alice, other = nodes
    location = _send(alice, alice.start_upload(NAME), 0, 2500)
    bucket.is_reachable = False
    assert _finish(alice, location, 2500).status_code == 503
    bucket.is_reachable = True
    location = _send(other, location, 2500, 3500)
    wrong = _finish(other, location, 3000)
    assert refusal(wrong) == (400, "DIGEST_INVALID")
    assert _finish(alice, location, 3500).status_code == 201
    assert other.blob(NAME, digest_of(CONTENT[:3500])) == CONTENT[:3500]
    assert not bucket.uploads
    assert len([key for key in bucket.objects if key.startswith("data/")]) == 1


def _failing_commit(
    world: World, at: int, late: bool, patch: pytest.MonkeyPatch
) -> list[int]:
    """Let one commit have no answer.

    :param at: the number of the commit.
    :param late: whether the database has committed.
    :return: a list that becomes as long as there are commits.
    """
    with world.app.app_context():
        dialect = type(db.engine.dialect)
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    commits, commit = list[int](), dialect.do_commit

    def failing(self: t.Any, connection: t.Any) -> None:
        commits.append(len(commits))
        if commits[-1] != at:
            return commit(self, connection)
        if late:
            commit(self, connection)
        raise OperationalError("COMMIT", {}, Exception("no answer"))

    patch.setattr(dialect, "do_commit", failing)
    return commits


def _append(world: World) -> TestResponse:
    return world.alice.patch(world.location, CONTENT[1500:])


def _close(world: World) -> TestResponse:
    path = with_query(world.location, digest=DIGEST)
    return world.alice.put(path, CONTENT[1500:])


def _close_whole(world: World) -> TestResponse:
    return world.alice.put(with_query(world.location, digest=DIGEST))


#: A request, and the number of bytes that its session has before.
REQUESTS: t.Final = {
    "append": (1500, _append),
    "close": (1500, _close),
    "close a whole one": (len(CONTENT), _close_whole),
}


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", REQUESTS)
def test_commit_without_an_answer_loses_no_acknowledged_byte(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, late: bool
) -> None:
    """The session has what the client was told, or more, and becomes the blob."""
    length, send = REQUESTS[name]
    for at in count():
        world.begin(length)
        with monkeypatch.context() as patch:
            commits = _failing_commit(world, at, late, patch)
            response = send(world)
        where = at, response.status_code, response.text
        position = world.position()
        if response.status_code == 201 or position < 0:
            assert world.has_blob(), where
        else:
            # A chunk that breaks off may leave a part of its bytes.
            assert length <= position <= len(CONTENT), where
            assert name == "append" or position in (length, len(CONTENT)), where
            assert response.status_code != 202 or position == len(CONTENT), where
            assert world.finish() == 201, where
            assert world.has_blob(), where
        world.other.delete(BLOB)
        world.cancel()
        if len(commits) <= at:
            break
    assert at > 2
    assert not world.bucket.uploads


@pytest.mark.slow
def test_save_without_an_answer_leaves_the_bytes_of_the_next_node(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process saves parts without an answer, and is then stopped longer than its
    lease. Another node continues from these parts, which the first one keeps."""
    continued = 0
    for commit in range(2, 7):
        for step in range(3, 16):
            world.begin(0)
            with monkeypatch.context() as patch:
                _failing_commit(world, commit, True, patch)
                with world.stopped(lambda: world.append(), step) as answers:
                    world.alice.patch(world.location, CONTENT)
            if answers == [202]:
                continued += 1
                assert world.has_blob() or world.finish() == 201, (commit, step)
                assert world.has_blob(), (commit, step)
            world.other.delete(BLOB)
            world.cancel()
    assert continued
