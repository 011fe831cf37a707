"""A process that is stopped at any step of a request, for longer than all leases and
grace periods, destroys nothing when it continues."""

from __future__ import annotations

import threading
import typing as t
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import count

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.clock import utcnow
from flask_oci.storage.buckets.protocol import Part
from flask_oci.testing import MemoryBucket
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.host import db
from tests.support.interleaving import in_thread
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

NAME = "alice/app"
CONTENT = bytes(range(256)) * 14
DIGEST = digest_of(CONTENT)
BLOB = f"/v2/{NAME}/blobs/{DIGEST}"
PART = 1300


#: Longer than every lease, every grace period and the lifetime of idle uploads.
PAUSE = timedelta(days=40)


#: The methods of a bucket that call the store.
CALLS = ("put", "create", "part", "complete", "abort", "head", "get", "delete_many")


class Bucket(MemoryBucket):
    """A bucket with the ETags of S3: the same bytes have the same."""

    def part(
        self, key: str, upload_id: str, number: int, body: bytes | bytearray
    ) -> Part:
        with self._lock:
            made = super().part(key, upload_id, number, body)
            part = made._replace(etag=digest_of(bytes(body)))
            self._parts(key, upload_id)[number] = part, bytes(body)
            return part


class SteppingBucket:
    """A bucket whose calls are steps of the thread that is stopped."""

    def __init__(self, bucket: MemoryBucket) -> None:
        self.name = bucket.name
        self.part_size = bucket.part_size
        self.step: t.Callable[[], None] = lambda: None
        self._bucket = bucket

    def __getattr__(self, name: str) -> t.Any:
        call = getattr(self._bucket, name)
        if name not in CALLS:
            return call

        def stepping(*args: t.Any, **kwargs: t.Any) -> t.Any:
            self.step()
            return call(*args, **kwargs)

        return stepping


def span(start: int) -> dict[str, str]:
    """Return the header that protects a session against bytes that arrive late."""
    return {"Content-Range": f"{start}-{len(CONTENT) - 1}"}


class World:
    """Two nodes on one database and one bucket, and a session with a part and a tail.

    :param make_app: makes a node.
    """

    def __init__(self, make_app: MakeApp) -> None:
        self.bucket = SteppingBucket(Bucket(PART))
        self.app: Flask = make_app(OCI_STORAGE=self.bucket, OCI_READ_CACHE=False)
        self.alice = RegistryClient.of(self.app, "alice")
        self.other_app = make_app(OCI_STORAGE=self.bucket, OCI_READ_CACHE=False)
        self.other = RegistryClient.of(self.other_app, "alice")
        self.location = ""
        self.spent = timedelta()
        self.clock = time_machine.travel(utcnow(), tick=False)
        self.clock.start()

    def begin(self, length: int = 1500) -> None:
        """Begin a session that has its first bytes."""
        self.location = self.alice.start_upload(NAME)
        assert self.alice.patch(self.location, CONTENT[:length]).status_code == 202

    def position(self) -> int:
        """Return the number of bytes of the session, or -1 if it does not exist."""
        response = self.other.get(self.location)
        if response.status_code == 404:
            return -1
        assert response.status_code == 204, response.text
        return int(response.headers["Range"].partition("-")[2]) + 1

    def append(self) -> int:
        """Send all bytes that the session lacks, and return the status."""
        if (start := self.position()) < 0:
            return 404
        response = self.other.patch(self.location, CONTENT[start:], headers=span(start))
        return response.status_code

    def finish(self) -> int:
        """Complete the session with all bytes that it lacks, and return the status."""
        if (start := self.position()) < 0:
            return 404
        path = with_query(self.location, digest=DIGEST)
        rest, headers = CONTENT[start:], span(start) if start < len(CONTENT) else {}
        return self.other.put(path, rest, headers=headers).status_code

    def has_blob(self) -> bool:
        """Return True if the blob is there with the right bytes."""
        response = self.other.get(BLOB)
        assert response.status_code == 404 or response.data == CONTENT
        return response.status_code == 200

    def cancel(self) -> int:
        """Cancel the session, and return the status."""
        return self.other.delete(self.location).status_code

    def collect(self) -> int:
        """Run the collection twice, the second time after another grace period."""
        for _ in range(2):
            Upkeep(self.other_app).gc()
            self.wait()
        return 200

    def wait(self) -> None:
        """Let all leases and grace periods end."""
        # Servers have a clock of their own.
        ending = "UPDATE oci_bucket_upload SET leased_until = '2001-01-01'"
        Upkeep(self.other_app).execute(sa.text(ending))
        self.clock.stop()
        self.spent += PAUSE
        self.clock = time_machine.travel(utcnow() + self.spent, tick=False)
        self.clock.start()

    @contextmanager
    def stopped(
        self,
        rival: t.Callable[[], int],
        at: int,
        check: t.Callable[[], object] = lambda: None,
    ) -> t.Iterator[list[int]]:
        """Stop this thread before a transaction or a call of the bucket, and let others
        act meanwhile.

        Within a transaction, others would wait for its locks.

        :param rival: the action of others, which ends before the thread continues.
        :param at: the number of the transaction or call.
        :param check: called before each later one.
        :return: the result of the rival, if the thread had so many.
        """
        thread, numbers, answers = threading.get_ident(), count(), list[int]()

        def act() -> None:
            self.wait()
            answers.append(rival())

        def step(*_: object) -> None:
            if threading.get_ident() == thread:
                number = next(numbers)
                if number >= at:
                    in_thread(act if number == at else check)()

        with self.app.app_context():
            engine = db.engine
        sa.event.listen(engine, "begin", step)
        self.bucket.step = step
        try:
            yield answers
        finally:
            self.bucket.step = lambda: None
            sa.event.remove(engine, "begin", step)


@pytest.fixture(name="world")
def _world(make_app: MakeApp) -> t.Iterator[World]:
    world = World(make_app)
    yield world
    world.clock.stop()


def patch(world: World) -> TestResponse:
    """Send more bytes, up to the end."""
    return world.alice.patch(world.location, CONTENT[1500:], headers=span(1500))


def close(world: World) -> TestResponse:
    """Complete the session with its last bytes."""
    path = with_query(world.location, digest=DIGEST)
    return world.alice.put(path, CONTENT[1500:], headers=span(1500))


def close_whole(world: World) -> TestResponse:
    """Complete the session, which has all bytes."""
    return world.alice.put(with_query(world.location, digest=DIGEST))


def post(world: World) -> TestResponse:
    """Push the blob in one request."""
    path = with_query(f"/v2/{NAME}/blobs/uploads/", digest=DIGEST)
    return world.alice.post(path, CONTENT)


REQUESTS: t.Final = (patch, close, close_whole, post)

#: The actions of others while the request is stopped.
RIVALS: t.Final = (World.append, World.finish, World.cancel, World.collect)

#: The cases whose steps include those of the others.
SHORT: t.Final = (
    (close, World.append),
    (patch, World.finish),
    (close, World.collect),
    (close_whole, World.finish),
)

CASES: t.Final = [
    pytest.param(
        *(request, rival),
        id=f"{request.__name__}-{rival.__name__}",
        marks=() if (request, rival) in SHORT else pytest.mark.full,
    )
    for request in REQUESTS
    for rival in RIVALS
    if (request, rival) != (close_whole, World.append)
]


@pytest.mark.slow
@pytest.mark.parametrize(("send", "rival"), CASES)
def test_request_stopped_at_any_step_destroys_nothing(
    world: World,
    send: t.Callable[[World], TestResponse],
    rival: t.Callable[[World], int],
) -> None:
    """Bytes that another node acknowledged stay, and the answer is true."""
    for at in count():
        world.begin(len(CONTENT) if send is close_whole else 1500)
        with world.stopped(lambda: rival(world), at) as answers:
            response = send(world)
        if not answers:
            break
        where = at, answers, response.status_code, response.text
        if response.status_code >= 300:
            assert refusal(response)[0] in (404, 416), where
        if answers == [202]:
            assert world.has_blob() or world.position() == len(CONTENT), where
            assert world.has_blob() or world.finish() == 201, where
        # The collection may delete a blob that no manifest needs.
        if 201 in (*answers, response.status_code) and rival is not World.collect:
            assert world.has_blob(), where
        assert world.other.delete(BLOB).status_code in (202, 404)
        world.cancel()
    assert at > 5
    world.collect()
    found = {kind for kind, _ in Upkeep(world.app).kinds("--scrub")}
    # An object that no row names is deleted after a repair.
    assert found <= {"unrecorded"}
    assert not world.bucket.uploads


@pytest.mark.slow
def test_migration_stopped_at_any_step_keeps_blobs_readable(
    make_app: MakeApp, world: World
) -> None:
    """The collection ends the session of the copy and deletes its object. The blob then
    stays where it was, from the first moment on."""
    folder = RegistryClient.of(make_app(), "alice")
    folder.push_blob(NAME, CONTENT)
    folder.push_manifest(NAME, image(config=CONTENT), "1")
    results = set()
    for at in count():
        assert (
            Upkeep(world.app).run("storage", "migrate", "--to", "local").exit_code == 0
        )
        with world.stopped(world.collect, at, lambda: check(world)) as answers:
            result = Upkeep(world.app).run("storage", "migrate", "--to", "memory")
        results.add(result.exit_code)
        check(world)
        if not answers:
            break
    assert at > 5
    assert results == {0, 3}
    assert {kind for kind, _ in Upkeep(world.app).kinds("--scrub")} <= {"unrecorded"}


@pytest.mark.slow
def test_pull_stopped_at_any_step_finds_a_blob_that_was_moved(world: World) -> None:
    """A migration moves the blob, and the collection deletes its former object."""
    world.alice.push_blob(NAME, CONTENT)
    world.alice.push_manifest(NAME, image(config=CONTENT), "1")
    migrate = partial(Upkeep(world.other_app).run, "storage", "migrate", "--to")

    def move() -> int:
        assert migrate("local").exit_code == 0
        return world.collect()

    for at in count():
        assert migrate("memory").exit_code == 0
        with world.stopped(move, at) as answers:
            assert world.alice.get(BLOB).data == CONTENT
        if not answers:
            break
    assert at > 1


def check(world: World) -> None:
    """Check that clients can read the blob."""
    assert world.other.get(BLOB).data == CONTENT
