"""Pushes to a bucket: tests of the registry on a bucket in memory, several nodes, and
failures of each call."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.storage.buckets.protocol import MAX_PARTS
from flask_oci.storage.buckets.protocol import PART_SIZE
from flask_oci.testing import FaultyBucket
from flask_oci.testing import MemoryBucket
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.host import bucket_of
from tests.support.host import STORAGE
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.upkeep import later
from tests.support.upkeep import Upkeep
from tests.v2 import test_mounts as mounts
from tests.v2 import test_push_blobs as blobs
from tests.v2 import test_upload_sessions as sessions

NAME = "alice/app"
UPLOADS = f"/v2/{NAME}/blobs/uploads/"
CONTENT = bytes(range(256)) * 14
PART = 1000


# pytest collects these here once more.
test_mount_readable_blob_links_it = mounts.test_mount_readable_blob_links_it
test_single_post = blobs.test_single_post
test_push_existing_blob_succeeds = blobs.test_push_existing_blob_succeeds
test_chunk_out_of_order = sessions.test_chunk_out_of_order_returns_416_with_position
test_finish_wrong_digest = sessions.test_finish_wrong_digest_keeps_the_session
test_session_cancelled = sessions.test_session_cancelled_is_unknown


@pytest.fixture(autouse=True, scope="module")
def _on_bucket() -> t.Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORAGE, "memory")
        yield


@pytest.fixture(name="bucket")
def _bucket(tmp_path: Path) -> MemoryBucket:
    """The bucket of the applications of a test, with small parts."""
    bucket = bucket_of(tmp_path)
    bucket.part_size = PART
    return bucket


def _send(client: RegistryClient, location: str, start: int, stop: int) -> str:
    response = client.patch(location, CONTENT[start:stop])
    assert response.status_code == 202, response.text
    assert response.headers["Range"] == f"0-{stop - 1}"
    return response.headers["Location"]


def _finish(client: RegistryClient, location: str, digest: str = "") -> int:
    query = {"digest": digest or digest_of(CONTENT)}
    return client.put(with_query(location, **query)).status_code


def test_blob_is_written_once_and_leaves_nothing_else(
    bucket: MemoryBucket, alice: RegistryClient
) -> None:
    """A small blob is one object, and so is a large one, whose tail is deleted. All
    ranges of it are sent with one request each."""
    for content in (b"", b"small", CONTENT, CONTENT[: 2 * PART]):
        digest = alice.push_blob(NAME, content)
        assert alice.get(f"/v2/{NAME}/blobs/{digest}").data == content
        location = _send(alice, alice.start_upload("alice/other"), 0, 700)
        assert _finish(alice, location, digest_of(CONTENT[:700])) == 201
    several = {"Range": "bytes=10-1200,3000-3009"}
    response = alice.get(f"/v2/{NAME}/blobs/{digest_of(CONTENT)}", headers=several)
    stored = [body for key, (body, _) in bucket.objects.items() if "data/" in key]

    assert response.status_code == 206
    assert CONTENT[10:1201] in response.data
    assert sorted(map(len, stored)) == [0, 5, 700, 2 * PART, len(CONTENT)]
    assert bucket.uploads == {}


def test_large_blob_of_one_request_is_written_once(
    bucket: MemoryBucket, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last bytes are the last part, which a store accepts to be short. More bytes
    than that are copied once, and no second time."""
    monkeypatch.delenv(STORAGE)
    counting = FaultyBucket(bucket)
    alice = RegistryClient.of(make_app(OCI_STORAGE=counting), "alice")
    # The first push reads the identity of the bucket.
    alice.push_blob(NAME, b"first")
    location = alice.start_upload(NAME)
    counting.fail(None)
    location = _send(alice, location, 0, 2500)
    assert _finish(alice, location, digest_of(CONTENT[:2500])) == 201
    assert counting.calls == ["create", *["part"] * 3, "complete"]
    location = _send(alice, alice.start_upload(NAME), 0, 2500)
    for start in range(2500, len(CONTENT), 400):
        counting.fail(None)
        location = _send(alice, location, start, min(start + 400, len(CONTENT)))
        assert ("complete" in counting.calls) == (start == 2500)
    assert _finish(alice, location) == 201
    assert alice.blob(NAME, digest_of(CONTENT)) == CONTENT
    assert bucket.uploads == {}
    assert len([key for key in bucket.objects if key.startswith("data/")]) == 3


def test_blob_of_too_many_parts_is_413_and_the_session_continues(
    bucket: MemoryBucket, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blob of 150 GiB has fewer parts than an object store accepts."""
    assert PART_SIZE * MAX_PARTS > 150 * 1024**3
    monkeypatch.setattr("flask_oci.storage.buckets.protocol.MAX_PARTS", 2)
    location = _send(alice, alice.start_upload(NAME), 0, 1200)
    refused = alice.patch(location, CONTENT[1200:])
    assert refusal(refused) == (413, "SIZE_INVALID")
    assert alice.get(location).headers["Range"] == "0-1199"
    location = _send(alice, location, 1200, 2 * PART)
    assert _finish(alice, location, digest_of(CONTENT[: 2 * PART])) == 201
    assert alice.blob(NAME, digest_of(CONTENT[: 2 * PART])) == CONTENT[: 2 * PART]
    assert bucket.uploads == {}


def test_upload_continues_at_any_node(
    bucket: MemoryBucket, make_app: MakeApp, alice: RegistryClient
) -> None:
    """A wrong digest leaves the session as it is, at any node. The right one ends
    it."""
    other = RegistryClient.of(make_app(), "alice")
    location = alice.start_upload(NAME)
    for client, start, stop in (
        (alice, 0, 10),
        (other, 10, 1700),
        (alice, 1700, 1701),
        (other, 1701, 3000),
    ):
        location = _send(client, location, start, stop)
    wrong = other.put(with_query(location, digest=digest_of(b"x")), CONTENT[3000:])
    position = alice.get(location).headers["Range"]
    _send(alice, location, 3000, len(CONTENT))

    assert refusal(wrong) == (400, "DIGEST_INVALID")
    assert position == "0-2999"
    assert _finish(other, location) == 201
    assert alice.blob(NAME, digest_of(CONTENT)) == CONTENT
    assert other.get(location).status_code == 404
    assert len([key for key in bucket.objects if key.startswith("data/")]) == 1


def test_node_that_was_paused_changes_nothing(
    bucket: MemoryBucket,
    app: Flask,
    make_app: MakeApp,
    alice: RegistryClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second writer gets 416 while the lease of the first is valid. When it has
    expired, the second one completes the blob, and the first gets 416."""
    monkeypatch.setattr("flask_oci.storage.buckets.sessions.PATIENCE", 0.0)
    other = RegistryClient.of(make_app(), "alice")
    location = alice.start_upload(NAME)
    answers: list[int] = []

    def take_over() -> None:
        if answers:
            return
        answers.append(other.patch(location, b"x").status_code)
        Upkeep(app).end_upload_leases()
        answers.append(other.patch(location, CONTENT).status_code)
        answers.append(_finish(other, location))

    source = Source(CONTENT, take_over)
    response = alice.patch(location, environ=source.environ(len(CONTENT)))

    assert answers == [416, 202, 201]
    assert response.status_code in (404, 416)
    assert alice.blob(NAME, digest_of(CONTENT)) == CONTENT
    assert bucket.uploads == {}


def test_idle_session_and_deleted_blob_leave_the_bucket(
    bucket: MemoryBucket, app: Flask, alice: RegistryClient
) -> None:
    """The collection aborts the upload of an idle session, deletes its tail, and the
    object of a blob after the grace period."""
    location = alice.start_upload(NAME)
    location = _send(alice, location, 0, 1200)
    _send(alice, location, 1200, 2500)
    digest = alice.push_blob(NAME, b"not needed by any manifest")
    before = len(bucket.objects)
    with later(timedelta(days=40)):
        Upkeep(app).gc()
    with later(timedelta(days=80)):
        Upkeep(app).gc()

    assert before == 3
    assert bucket.uploads == {}
    assert set(bucket.objects) == {"identity"}
    assert alice.get(f"/v2/{NAME}/blobs/{digest}").status_code == 404
    assert alice.get(location).status_code == 404


class Stubborn:
    """A client of a bucket whose calls fail, that sends again what was refused."""

    def __init__(self, client: RegistryClient) -> None:
        self.client = client
        self.refusals = 0

    def request(self, method: str, path: str, body: bytes = b"") -> t.Any:
        """Send a request, and repeat it once after a 503."""
        response = self.client.request(method, path, body)
        if response.status_code == 503:
            assert response.headers["Retry-After"] == "60"
            self.refusals += 1
            response = self.client.request(method, path, body)
        assert response.status_code < 500, response.text
        return response

    def append(self, location: str, stop: int) -> None:
        """Send the missing bytes."""
        response = self.client.get(location)
        stored = int(response.headers["Range"].partition("-")[2]) + 1
        stored = 0 if stored == 1 else stored
        answer = self.client.patch(location, CONTENT[stored:stop])
        if answer.status_code == 503:
            self.refusals += 1
            self.append(location, stop)


def _push_in_chunks(client: Stubborn) -> None:
    location = client.request("POST", UPLOADS).headers["Location"]
    client.append(location, 1500)
    client.append(location, 3200)
    last = with_query(location, digest=digest_of(CONTENT))
    assert client.request("PUT", last, CONTENT[3200:]).status_code == 201


def _push_at_once(client: Stubborn) -> None:
    path = with_query(UPLOADS, digest=digest_of(CONTENT))
    assert client.request("POST", path, CONTENT).status_code == 201


@pytest.mark.parametrize("push", [_push_in_chunks, _push_at_once])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_each_call_of_the_bucket_may_fail_once(
    bucket: MemoryBucket,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    push: t.Callable[[Stubborn], None],
    late: bool,
) -> None:
    """The client gets 503 or does not notice. Its second attempt stores the blob, which
    is right, and the collection removes all that the first attempt left."""
    monkeypatch.delenv(STORAGE)
    faulty = FaultyBucket(bucket)
    app = make_app(OCI_STORAGE=faulty)
    client = Stubborn(RegistryClient.of(app, "alice"))
    path = f"/v2/{NAME}/blobs/{digest_of(CONTENT)}"
    push(client)
    at, failures = 0, 0
    while True:
        client.request("DELETE", path)
        faulty.fail(at, late=late)
        push(client)
        happened = faulty.happened
        faulty.fail(None)
        response = client.request("GET", path)
        assert response.status_code == 200, (at, happened)
        assert response.data == CONTENT
        if happened is None:
            break
        failures += 1
        at += 1
    with later(timedelta(days=80)):
        Upkeep(app).gc()
    with later(timedelta(days=160)):
        Upkeep(app).gc()

    assert failures > 3
    assert client.refusals > 2
    assert bucket.uploads == {} or late
