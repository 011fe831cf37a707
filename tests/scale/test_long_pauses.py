"""Processes that are stopped longer than their leases and the grace period do no harm
when they continue.

``tests/storage/test_long_pauses.py`` stops a request at each of its steps.
"""

from __future__ import annotations

import json
import os
import random
import signal
import typing as t

import pytest

from tests.support.forge import wait_until
from tests.torture.client import Answer
from tests.torture.client import Client
from tests.torture.client import log_in
from tests.torture.content import Blob
from tests.torture.content import Image
from tests.torture.content import MANIFEST_TYPE

from .nodes import Nodes
from .nodes import PREFIXES
from .pauses import HalfRequest
from .pauses import LIMIT
from .pauses import Rows
from .store import BUCKET

pytestmark = pytest.mark.real

NAME: t.Final = "alice/paused"
UPLOADS: t.Final = f"/v2/{NAME}/blobs/uploads/"
MANIFEST: t.Final = {"Content-Type": MANIFEST_TYPE}

#: More than one part of an object, which has 16 MiB.
LARGE: t.Final = 17 << 20

IS_FULL: t.Final = os.environ.get("TORTURE") == "full"


class Paused:
    """A node that is stopped in the middle of requests, and another one.

    :param nodes: two running nodes.
    """

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.rows = Rows(nodes.database)
        self.rng = random.Random(0)
        self.authorization = log_in(nodes.port, "alice", "wonderland", [NAME])
        self.other = Client(nodes.nodes[1].port, self.authorization)

    def blob(self, size: int = 3000) -> Blob:
        """Return a blob with random bytes."""
        return Blob.of(self.rng.randbytes(size))

    def half(
        self,
        method: str,
        path: str,
        body: bytes,
        cut: int = 1000,
        headers: t.Mapping[str, str] | None = None,
    ) -> HalfRequest:
        """Send a part of a request to the node that is going to stop."""
        port = self.nodes.nodes[0].port
        return HalfRequest(port, self.authorization, method, path, body, cut, headers)

    def push(self, blob: Blob) -> None:
        """Push a blob at the other node."""
        path = f"{UPLOADS}?digest={blob.digest}"
        assert self.other.request("POST", path, blob.content).status == 201

    def tag(self, image: Image, tag: str) -> None:
        """Push the config and the manifest of an image at the other node."""
        self.push(image.blobs[0])
        path = f"/v2/{NAME}/manifests/{tag}"
        answer = self.other.request("PUT", path, image.manifest, MANIFEST)
        assert answer.status == 201, answer

    def begin(self, stored: bytes = b"") -> str:
        """Begin a session with some bytes at the other node."""
        location = self.other.request("POST", UPLOADS).headers["location"]
        if stored:
            assert self.other.request("PATCH", location, stored).status == 202
        return location

    def position(self, location: str) -> int:
        """Return the number of bytes of a session."""
        answer = self.other.request("GET", location)
        assert answer.status == 204, answer
        return int(answer.headers["range"].partition("-")[2]) + 1

    def complete(self, location: str, blob: Blob) -> None:
        """Send the bytes that a session lacks, complete it, and read the blob."""
        start = self.position(location)
        rest = blob.content[start:]
        headers = span(start, blob) if rest else {}
        path = f"{location}?digest={blob.digest}"
        answer = self.other.request("PUT", path, rest, headers)
        assert answer.status == 201, answer
        self.check(blob)

    def check(self, blob: Blob) -> None:
        """Check that clients can read a blob."""
        answer = self.other.request("GET", f"/v2/{NAME}/blobs/{blob.digest}")
        assert answer.status == 200, answer
        assert answer.body == blob.content

    def wait(self) -> None:
        """Let all leases, lifetimes and grace periods end. The full form waits for the
        end of the leases, and the short form only changes the rows."""
        if IS_FULL:
            self.rows.wait_for(0, EXPIRING, "oci_bucket_upload")
        self.rows.age()

    def collect(self) -> None:
        """Wait until two more collections have ended."""
        number = len(self.nodes.collections()) + 2
        wait_until(
            lambda: len(self.nodes.collections()) >= number, LIMIT, "collections"
        )

    def check_all(self) -> None:
        """Check all rows and objects."""
        self.nodes.kill_collector()
        status, problems = self.nodes.command("fsck", "--scrub", "--json")
        assert status == 0, problems


#: The condition of a lease that another process may not take yet.
EXPIRING: t.Final = "leased_until > clock_timestamp()"


@pytest.fixture(name="settings")
def _settings() -> dict[str, str]:
    """An upload expires only if the times of its rows are changed."""
    return {"OCI_UPLOAD_LIFETIME": "1800"}


@pytest.fixture(name="paused")
def _paused(nodes: Nodes) -> t.Iterator[Paused]:
    paused = Paused(nodes)
    yield paused
    paused.other.close()


def span(start: int, blob: Blob) -> dict[str, str]:
    """Return the header of the bytes of a blob from a position on."""
    return {"Content-Range": f"{start}-{len(blob.content) - 1}"}


def refuse(answer: Answer, *expected: int) -> None:
    """Check that an answer is a refusal in the registry's JSON."""
    assert answer.status in expected, answer
    assert json.loads(answer.body)["errors"][0]["message"]


def test_node_stopped_longer_than_leases_destroys_nothing(paused: Paused) -> None:
    """Others continue, complete, cancel and collect the sessions of its requests."""
    kept, removed, whole = paused.blob(), paused.blob(), paused.blob()
    continued, completed = paused.blob(), paused.blob(LARGE)
    for blob in (kept, removed):
        paused.push(blob)
    tagged, twice = (Image.of("tagged", [kept] * number) for number in (1, 2))
    missing = Image.of("missing", [removed])
    paused.push(missing.blobs[0])
    first, third = (paused.begin(continued.content[:900]) for _ in range(2))
    second = paused.begin()
    paused.tag(tagged, "tagged")
    path = f"{third}?digest={continued.digest}"
    ends = continued.content[900:]
    appending = paused.half("PATCH", first, ends, headers=span(900, continued))
    filling = paused.half("PATCH", second, completed.content, LARGE - 1000)
    closing = paused.half("PUT", path, ends, headers=span(900, continued))
    posting = paused.half("POST", f"{UPLOADS}?digest={whole.digest}", whole.content)
    pushing = [
        paused.half("PUT", f"/v2/{NAME}/manifests/{n}", image.manifest, 100, MANIFEST)
        for n, image in enumerate((twice, missing))
    ]
    paused.rows.wait_for(4, "lease IS NOT NULL", "oci_bucket_upload")
    paused.rows.wait_for(1, f"length = {16 << 20}", "oci_bucket_upload")
    with paused.nodes.pause(0):
        paused.wait()
        rest = continued.content[900:2000]
        headers = {"Content-Range": "900-1999"}
        answer = paused.other.request("PATCH", first, rest, headers)
        assert answer.status == 202, answer
        paused.complete(second, completed)
        assert paused.other.request("DELETE", third).status == 204
        paused.tag(Image.of("completed", [completed]), "completed")
        paused.nodes.start_upkeep("collection-a")
        paused.collect()

    refuse(appending.finish(), 404, 416)
    assert paused.position(first) == 2000
    paused.complete(first, continued)
    refuse(filling.finish(), 404, 416)
    paused.check(completed)
    refuse(closing.finish(), 404, 416)
    refuse(posting.finish(), 404, 416)
    recorded, unrecorded = (each.finish() for each in pushing)
    refuse(unrecorded, 400)
    assert unrecorded.code() == "MANIFEST_BLOB_UNKNOWN"
    assert recorded.status == 201, recorded
    paused.check(kept)
    paused.check_all()


@pytest.mark.skipif(not IS_FULL, reason="tox -e scale runs it")
def test_migration_stopped_longer_than_lease_moves_nothing_later(
    paused: Paused,
) -> None:
    """It is stopped before it records a new place. The collection deletes its copy."""
    blob, rows = paused.blob(), paused.rows
    paused.push(blob)
    paused.tag(Image.of("moved", [blob]), "moved")
    paused.nodes.start_upkeep("collection-a")
    target = f"s3://{BUCKET}/{PREFIXES[1]}"
    words = ("oci", "storage", "migrate", "--to", target)
    with rows.locked_blob(blob.digest):
        migration = paused.nodes.spawn_program(
            "stopped.log", "flask", "--app", "example_app", *words
        )
        rows.wait_for(1, "wait_event_type = 'Lock'", "pg_stat_activity")
        os.kill(migration.pid, signal.SIGSTOP)
    try:
        paused.wait()
        rows.wait_for(0, "true", "oci_bucket_upload")
        paused.check(blob)
    finally:
        os.kill(migration.pid, signal.SIGCONT)
    migration.wait(LIMIT)
    paused.check(blob)
    status, result = paused.nodes.command(*words[1:], "--json")
    assert (status, result["failures"]) == (0, [])
    paused.check(blob)
    paused.check_all()
