"""Two nodes of a registry on one database and one bucket. The first one can be stopped
at any step."""

from __future__ import annotations

import threading
import typing as t
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

import sqlalchemy as sa
import time_machine
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.storage.buckets.protocol import Part
from flask_oci.testing import MemoryBucket
from flask_oci.testing.manifests import digest_of
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
        Upkeep(self.other_app).end_upload_leases()
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
