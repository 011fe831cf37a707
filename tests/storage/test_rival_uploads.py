"""Uploads to a bucket that another node continues, because a body or a store stalls."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from flask_oci.catalog.bucket_uploads import BucketUploads
from flask_oci.errors import Unavailable
from flask_oci.testing import FaultyBucket
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.registry_client import RegistryClient
from tests.support.two_nodes import Bucket
from tests.support.upkeep import Upkeep

NAME = "alice/app"
CONTENT = bytes(range(256)) * 40
PART = 1000


class Body:
    """A request body that arrives in pieces, and then ends or breaks off.

    :param stall: called before the read with the number ``at``.
    :param breaks: whether the connection is lost after the last piece.
    """

    def __init__(
        self,
        *pieces: bytes,
        stall: t.Callable[[], object] = lambda: None,
        at: int = -1,
        breaks: bool = False,
    ) -> None:
        self._pieces = list(pieces)
        self._stall = stall
        self._at = at
        self._breaks = breaks
        self._number = -1

    def read(self, size: int = -1) -> bytes:
        """Return the next piece."""
        self._number += 1
        if self._number == self._at:
            self._stall()
        if self._pieces:
            return self._pieces.pop(0)
        if self._breaks:
            raise OSError("connection reset")
        return b""

    def environ(self, length: int | None = None) -> dict[str, t.Any]:
        """Return the environment of the request.

        :param length: the announced length; None sends chunks.
        """
        if length is not None:
            return {"CONTENT_LENGTH": str(length), "wsgi.input": self}
        return {
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input_terminated": True,
            "wsgi.input": self,
        }


@pytest.fixture(name="bucket")
def _bucket() -> Bucket:
    return Bucket(PART)


@pytest.fixture(name="apps")
def _apps(
    make_app: MakeApp, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> list[Flask]:
    """Two nodes, which compare their leases before each call of the store."""
    monkeypatch.setattr("flask_oci.storage.buckets.sessions.PATIENCE", 0.0)
    monkeypatch.setattr("flask_oci.storage.buckets.leased_session.RENEW", 0.0)
    return [
        make_app(OCI_STORAGE=bucket, OCI_READ_CACHE=False, PROPAGATE_EXCEPTIONS=False)
        for _ in range(2)
    ]


class Rival:
    """Another node, to which the client sends more bytes meanwhile."""

    def __init__(self, app: Flask, location: str, length: int) -> None:
        self._client = RegistryClient.of(app, "alice")
        self._app = app
        self._location = location
        self._length = length
        self.response: TestResponse | None = None

    def take_over(self) -> None:
        """Append after the lease of the first node has ended."""
        Upkeep(self._app).end_upload_leases()
        start = position(self._client, self._location)
        self.response = self._client.patch(
            self._location, CONTENT[start : self._length]
        )

    def finish(self) -> None:
        """Check that all acknowledged bytes become the blob."""
        assert self.response is not None
        assert self.response.status_code == 202, self.response.text
        assert finish(self._client, self._location, self._length) == 201
        whole = CONTENT[: self._length]
        assert self._client.blob(NAME, digest_of(whole)) == whole


def position(client: RegistryClient, location: str) -> int:
    """Return the number of bytes of a session."""
    response = client.get(location)
    assert response.status_code == 204, response.text
    return int(response.headers["Range"].partition("-")[2]) + 1


def finish(client: RegistryClient, location: str, length: int) -> int:
    """Complete a session that has all its bytes."""
    path = with_query(location, digest=digest_of(CONTENT[:length]))
    return client.put(path).status_code


def begun(app: Flask, *lengths: int) -> tuple[RegistryClient, str]:
    """Return a client, and a session with some chunks."""
    client = RegistryClient.of(app, "alice")
    location, start = client.start_upload(NAME), 0
    for length in lengths:
        assert client.patch(location, CONTENT[start:length]).status_code == 202
        start = length
    return client, location


@pytest.mark.parametrize("length", [9000, None], ids=["breaks", "ends"])
def test_chunk_that_stalls_replaces_no_part_of_the_next_node(
    apps: list[Flask], length: int | None
) -> None:
    """The client sends the rest to another node, and the first connection then breaks
    off or ends."""
    client, location = begun(apps[0])
    rival = Rival(apps[1], location, 5000)
    pieces = (CONTENT[:1000], CONTENT[1000:2000], CONTENT[2000:2300])
    body = Body(*pieces, stall=rival.take_over, at=3, breaks=length is not None)
    client.patch(location, environ=body.environ(length))
    rival.finish()


def test_closing_request_that_stalls_replaces_no_part_of_the_next_node(
    apps: list[Flask],
) -> None:
    """The last bytes stall at their end."""
    client, location = begun(apps[0], 100, 2000)
    rival = Rival(apps[1], location, 5000)
    path = with_query(location, digest=digest_of(CONTENT[:2300]))
    body = Body(CONTENT[2000:2300], stall=rival.take_over, at=1)
    client.put(path, environ=body.environ())
    rival.finish()


@pytest.mark.parametrize("chunks", [(2000,), (100, 2000)], ids=["one", "two"])
@pytest.mark.parametrize("rest", [0, 1000], ids=["all bytes", "last bytes"])
def test_late_completion_loses_no_part_of_the_next_node(
    apps: list[Flask], bucket: Bucket, chunks: tuple[int, ...], rest: int
) -> None:
    """The store completes the upload after the lease has ended, and another node has
    appended."""
    client, location = begun(apps[0], *chunks)
    rival, complete = Rival(apps[1], location, 5500), bucket.complete

    def late(*args: t.Any) -> None:
        vars(bucket).pop("complete")
        rival.take_over()
        complete(*args)

    vars(bucket)["complete"] = late
    path = with_query(location, digest=digest_of(CONTENT[: 2000 + rest]))
    client.put(path, CONTENT[2000 : 2000 + rest])
    rival.finish()


def test_chunk_that_breaks_off_is_continued_without_a_copy(
    apps: list[Flask], bucket: Bucket
) -> None:
    """A copy of all bytes would last longer than the server waits for a request."""
    client, location = begun(apps[0])
    body = Body(*(CONTENT[i : i + 500] for i in range(0, 9500, 500)), breaks=True)
    client.patch(location, environ=body.environ(len(CONTENT)))
    start = position(client, location)
    uploads = [*bucket.uploads]
    assert start > 9 * PART
    assert client.patch(location, CONTENT[start : start + 10]).status_code == 202
    assert [*bucket.uploads] == uploads
    assert finish(client, location, start + 10) == 201


def test_two_saves_without_an_answer_keep_the_first_one(
    apps: list[Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has saved the first state, and refuses to take it back."""
    client, location = begun(apps[0], 700)
    saves, save = list[bool](), BucketUploads.save

    def failing(self: BucketUploads, *args: t.Any) -> bool:
        saves.append(True)
        is_saved = len(saves) != 2 and save(self, *args)
        if len(saves) <= 2:
            raise OperationalError("COMMIT", {}, Exception("no answer"))
        return is_saved

    path = with_query(location, digest=digest_of(CONTENT[:2500]))
    with monkeypatch.context() as patch:
        patch.setattr(BucketUploads, "save", failing)
        assert client.put(path, CONTENT[700:2500]).status_code == 503
    start = position(client, location)
    assert start >= 700
    assert client.put(path, CONTENT[start:2500]).status_code == 201


def test_completion_without_an_answer_of_more_bytes_is_cut(
    apps: list[Flask], bucket: Bucket
) -> None:
    """A closing request with wrong bytes has no answer. The right one then has fewer
    bytes than the object that the first one made."""
    client, location = begun(apps[0], 2000)
    complete = bucket.complete

    def late(*args: t.Any) -> None:
        vars(bucket).pop("complete")
        complete(*args)
        raise Unavailable

    vars(bucket)["complete"] = late
    path = with_query(location, digest=digest_of(b"wrong"))
    assert client.put(path, CONTENT[2000:2300]).status_code == 503
    assert position(client, location) == 2000
    assert finish(client, location, 2000) == 201
    assert client.blob(NAME, digest_of(CONTENT[:2000])) == CONTENT[:2000]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [1500, 2000, 2500])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_each_call_of_the_second_request_may_fail_once(
    make_app: MakeApp, bucket: Bucket, sent: int, late: bool
) -> None:
    """No acknowledged byte of the first request is lost, whatever the second one is."""
    faulty, stop = FaultyBucket(bucket), sent + 1800
    client = RegistryClient.of(
        make_app(OCI_STORAGE=faulty, OCI_READ_CACHE=False), "alice"
    )
    client.push_blob(NAME, b"first")
    digest, more = digest_of(CONTENT[:stop]), CONTENT[sent:stop]
    for wanted in (None, digest, digest_of(b"wrong")):
        happened: str | None = ""
        at = 0
        while happened is not None:
            location = client.start_upload(NAME)
            faulty.fail(None)
            assert client.patch(location, CONTENT[:sent]).status_code == 202
            faulty.fail(at, late=late)
            method = "PATCH" if wanted is None else "PUT"
            path = location if wanted is None else with_query(location, digest=wanted)
            response = client.request(method, path, more)
            happened = faulty.happened
            faulty.fail(None)
            if response.status_code != 201:
                start = position(client, location)
                assert sent <= start <= stop, (at, happened)
                last = client.put(
                    with_query(location, digest=digest), CONTENT[start:stop]
                )
                assert last.status_code == 201, (at, happened, last.text)
            assert client.blob(NAME, digest) == CONTENT[:stop]
            client.delete(f"/v2/{NAME}/blobs/{digest}")
            at += 1
