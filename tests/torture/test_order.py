"""A power cut: acknowledged writes are on the disk, the file before the row.

No power is cut. A trace of the system calls of a real server shows what was flushed to
the disk, and when. Unflushed data counts as lost.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.forge import tool
from tests.support.forge import wait_until

from .client import Answer
from .client import Client
from .client import log_in
from .content import Blob
from .content import Image
from .content import MANIFEST_TYPE
from .server import PATIENCE
from .server import Server
from .trace import Call
from .trace import calls
from .trace import Disk
from .trace import STRACE

pytestmark = pytest.mark.real

UPLOADS = "/v2/alice/app/blobs/uploads/"
MANIFESTS = "/v2/alice/app/manifests/"
NAMES = ("alice/app", "alice/other")
TYPE = {"Content-Type": MANIFEST_TYPE}

WHOLE, STREAMED, PIECES, FOUND = (
    Blob.of(name.encode() * 1000) for name in ("whole", "streamed", "pieces", "found")
)
IMAGE = Image.of("traced", [WHOLE, STREAMED])
#: Every acknowledged request by its effect: the status of the answer, and the blob
#: that it stores.
STEPS: dict[str, tuple[int, Blob | None]] = {
    "a blob in one request": (201, WHOLE),
    "starting an upload": (202, None),
    "a streamed body": (202, None),
    "a streamed blob": (201, STREAMED),
    "starting another upload": (202, None),
    "a first piece": (202, None),
    "a second piece": (202, None),
    "a blob in pieces": (201, PIECES),
    "a blob whose folder another process has made": (201, FOUND),
    "a blob again": (201, WHOLE),
    "a mount": (201, WHOLE),
    "a config": (201, IMAGE.blobs[0]),
    "a manifest": (201, None),
    "moving a tag": (201, None),
    "deleting a tag": (202, None),
    "deleting a manifest": (202, None),
    "deleting a blob": (202, None),
}
#: The requests that do not write to the database: only the storage has their bytes.
BYTES_ONLY: t.Final = {"a streamed body", "a first piece", "a second piece"}
#: The requests that a power cut may undo; the client then starts again.
IN_A_HURRY: t.Final = {"starting an upload", "starting another upload"}


@dataclass
class Outcome:
    """The state of the disk when a request was answered."""

    status: int = 0
    committed: bool = False
    """Whether the database was written to."""

    database_kept: bool = False
    blob_kept: bool = True
    row_came_first: bool = False
    """Whether the row could exist at any time without the file."""

    unflushed: bool = False
    """Whether an upload's bytes were recorded before the disk had them."""

    uploads_kept: bool = False
    """Whether the disk had the bytes of every upload."""


@pytest.fixture(name="outcomes", scope="module")
def _outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    tool("strace", "Debian's package strace")
    folder = tmp_path_factory.mktemp("traced")
    with Server(folder, None) as server:
        trace = folder / "trace"
        server.start(*STRACE, f"--output={trace}")
        client = Client(server.port, log_in(server.port, "alice", "wonderland", NAMES))
        sent = requests(client, server)
        try:
            for answer, (name, step) in zip(sent, STEPS.items(), strict=True):
                assert answer.status == step[0], (name, answer)
        finally:
            client.close()
        server.kill()
        # strace writes the last lines after the end of the traced processes.
        answers = len(STEPS) + 1
        wait_until(
            lambda: trace.read_text().count('"HTTP/1.1 ') >= answers,
            PATIENCE,
            "writing the trace",
        )
    with trace.open() as lines:
        return dict(judge(calls(lines), folder))


def requests(client: Client, server: Server) -> t.Iterator[Answer]:
    """Send every kind of acknowledged request, in the order of the steps."""

    def send(method: str, path: str, body: bytes = b"", **kwargs: t.Any) -> Answer:
        return client.request(method, path, body, **kwargs)

    yield send("POST", f"{UPLOADS}?digest={WHOLE.digest}", WHOLE.content)
    started = send("POST", UPLOADS)
    yield started
    location = started.headers["location"]
    yield send("PATCH", location, STREAMED.content, chunked=True)
    yield send("PUT", f"{location}?digest={STREAMED.digest}")
    started = send("POST", UPLOADS)
    yield started
    location = started.headers["location"]
    yield send("PATCH", location, PIECES.content[:100])
    yield send("PATCH", location, PIECES.content[100:200])
    yield send("PUT", f"{location}?digest={PIECES.digest}", PIECES.content[200:])
    # Another process created the folder, and was killed before it flushed it.
    (server.folder / path_of(FOUND)).parent.mkdir()
    yield send("POST", f"{UPLOADS}?digest={FOUND.digest}", FOUND.content)
    yield send("POST", f"{UPLOADS}?digest={WHOLE.digest}", WHOLE.content)
    mount = f"?mount={WHOLE.digest}&from=alice/app"
    yield send("POST", f"/v2/alice/other/blobs/uploads/{mount}")
    config = IMAGE.blobs[0]
    yield send("POST", f"{UPLOADS}?digest={config.digest}", config.content)
    yield send("PUT", f"{MANIFESTS}one", IMAGE.manifest, headers=TYPE)
    yield send("PUT", f"{MANIFESTS}two", IMAGE.manifest, headers=TYPE)
    yield send("DELETE", f"{MANIFESTS}two")
    yield send("DELETE", f"{MANIFESTS}{IMAGE.digest}")
    yield send("DELETE", f"/v2/alice/other/blobs/{WHOLE.digest}")


def judge(trace: t.Iterator[Call], folder: Path) -> t.Iterator[tuple[str, Outcome]]:
    """Read a trace, and yield the state of the disk at each answer."""
    disk = Disk(str(folder))
    database, log = f"{folder}/forge.db", f"{folder}/forge.db-wal"
    uploads = f"{folder}/oci/uploads"
    # The login is answered before the first step.
    for call in trace:
        disk.apply(call)
        if call.answer is not None:
            break
    for name, (_, blob) in STEPS.items():
        outcome = Outcome()
        if blob is FOUND:
            disk.make(os.path.dirname(f"{folder}/{path_of(FOUND)}"))
        path = f"{folder}/{path_of(blob)}" if blob else database
        for call in trace:
            if call.answer is not None:
                outcome.status = call.answer
                break
            if call.file == log and call.name.startswith("pwrite"):
                outcome.committed = True
                outcome.row_came_first |= not disk.keeps(path)
                outcome.unflushed |= not disk.has_bytes_below(uploads)
            if (call.file or "").startswith(f"{folder}/oci/notes/"):
                outcome.unflushed |= not disk.has_bytes_below(uploads)
            disk.apply(call)
        outcome.uploads_kept = disk.has_bytes_below(uploads)
        outcome.blob_kept = disk.keeps(path)
        outcome.database_kept = disk.keeps(database) and disk.keeps(log)
        yield name, outcome


def path_of(blob: Blob) -> str:
    """Return the path of a blob in the storage."""
    algorithm, _, encoded = blob.digest.partition(":")
    return f"oci/blobs/{algorithm}/{encoded[:2]}/{encoded}"


@pytest.mark.parametrize("step", STEPS)
def test_acknowledged_write_is_on_the_disk(
    outcomes: dict[str, Outcome], step: str
) -> None:
    """At the time of the answer, the file, its name and the commit are flushed."""
    outcome = outcomes[step]
    assert outcome.status == STEPS[step][0]
    assert outcome.committed is (step not in BYTES_ONLY)
    assert outcome.uploads_kept
    assert outcome.blob_kept
    assert outcome.database_kept is (step not in BYTES_ONLY | IN_A_HURRY)


@pytest.mark.parametrize("step", STEPS)
def test_file_is_on_the_disk_before_its_row(
    outcomes: dict[str, Outcome], step: str
) -> None:
    """No row refers to bytes that a power cut could still lose."""
    assert not outcomes[step].row_came_first
    assert not outcomes[step].unflushed
