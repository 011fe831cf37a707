"""Faults: a failure at any call loses nothing and leaves nothing half stored."""

from __future__ import annotations

import contextlib
import itertools
import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from datetime import timezone

import pytest
import time_machine
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from flask_oci.errors import RegistryError
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.requests import with_query
from tests.support.host import DATABASE_URL
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

from .faults import Faults
from .faults import Seam
from .faults import When
from .report import COUNTS

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(DATABASE_URL), reason="the faults are SQLite's"),
]

CONTENT = b"some content" * 500
DIGEST = digest_of(CONTENT)
CONFIG = b'{"os":"linux"}'
MANIFEST = image(CONTENT, config=CONFIG)

KEPT = "alice/kept"


@dataclass
class Case:
    """One attempt of an operation, in a separate repository."""

    client: RegistryClient
    name: str
    location: str = ""

    def at(self, path: str) -> str:
        """Return a path below the repository."""
        return f"/v2/{self.name}/{path}"

    def push_image(self) -> None:
        """Push the image that operations move or delete."""
        self.client.push_blob(self.name, CONFIG)
        self.client.push_blob(self.name, CONTENT)
        self.client.push_manifest(self.name, MANIFEST, "one")


class Operation(t.NamedTuple):
    """A request of a client, and its effect."""

    prepare: t.Callable[[Case], object]
    act: t.Callable[[Case], TestResponse]
    done: int
    """The status of a success."""

    brings: str | None
    """The path that exists after a success."""

    takes: str | None = None
    """The path that no longer exists after a success."""


def start(case: Case) -> None:
    case.location = case.client.start_upload(case.name)


def start_and_append(case: Case) -> None:
    start(case)
    case.client.patch(case.location, CONTENT[:1000])
    case.client.patch(case.location, CONTENT[1000:2000])


def finish(case: Case, content: bytes) -> TestResponse:
    return case.client.put(with_query(case.location, digest=DIGEST), content)


def look_later(case: Case) -> TestResponse:
    """Send a HEAD for a blob whose lease is old enough to be renewed."""
    with time_machine.travel(now() + timedelta(hours=12), tick=False):
        return case.client.head(case.at(f"blobs/{DIGEST}"))


def push_blobs(case: Case) -> None:
    case.client.push_blob(case.name, CONFIG)
    case.client.push_blob(case.name, CONTENT)


BLOB = f"blobs/{DIGEST}"
BY_DIGEST = f"manifests/{digest_of(MANIFEST)}"
UPLOADS = "blobs/uploads/"

OPERATIONS = {
    "a blob in one request": Operation(
        lambda case: None,
        lambda case: case.client.post(
            case.at(UPLOADS), CONTENT, query={"digest": DIGEST}
        ),
        201,
        BLOB,
    ),
    "starting an upload": Operation(
        lambda case: None, lambda case: case.client.post(case.at(UPLOADS)), 202, None
    ),
    "a piece": Operation(
        start, lambda case: case.client.patch(case.location, CONTENT), 202, None
    ),
    "the end of an upload": Operation(
        start_and_append, lambda case: finish(case, CONTENT[2000:]), 201, BLOB
    ),
    "an upload's only piece": Operation(
        start, lambda case: finish(case, CONTENT), 201, BLOB
    ),
    "asking for an upload": Operation(
        start, lambda case: case.client.get(case.location), 204, None
    ),
    "cancelling": Operation(
        start_and_append, lambda case: case.client.delete(case.location), 204, None
    ),
    "a mount": Operation(
        lambda case: None,
        lambda case: case.client.post(
            case.at(UPLOADS), query={"mount": DIGEST, "from": KEPT}
        ),
        201,
        BLOB,
    ),
    "a renewed lease": Operation(push_blobs, look_later, 200, BLOB),
    "a pull": Operation(
        Case.push_image, lambda case: case.client.get(case.at(BLOB)), 200, BLOB
    ),
    "a manifest": Operation(
        push_blobs,
        lambda case: case.client.put_manifest(case.name, "one", MANIFEST),
        201,
        "manifests/one",
    ),
    "a manifest with tags": Operation(
        push_blobs,
        lambda case: case.client.put_manifest(
            case.name, digest_of(MANIFEST), MANIFEST, query={"tag": ["one", "two"]}
        ),
        201,
        "manifests/two",
    ),
    "moving a tag": Operation(
        Case.push_image,
        lambda case: case.client.put_manifest(case.name, "one", MANIFEST),
        201,
        "manifests/one",
    ),
    "deleting a tag": Operation(
        Case.push_image,
        lambda case: case.client.delete(case.at("manifests/one")),
        202,
        BY_DIGEST,
        "manifests/one",
    ),
    "deleting a manifest": Operation(
        Case.push_image,
        lambda case: case.client.delete(case.at(BY_DIGEST)),
        202,
        BLOB,
        BY_DIGEST,
    ),
    "deleting a blob": Operation(
        push_blobs, lambda case: case.client.delete(case.at(BLOB)), 202, None, BLOB
    ),
    "listing tags": Operation(
        Case.push_image,
        lambda case: case.client.get(case.at("tags/list")),
        200,
        "manifests/one",
    ),
}
#: The content at each path that exists.
WHOLE = {BLOB: CONTENT, BY_DIGEST: MANIFEST}

SEAMS: tuple[tuple[Seam, When], ...] = (
    ("disk", "before"),
    ("disk", "after"),
    ("database", "before"),
    ("database", "after"),
)


@pytest.fixture(name="faults")
def _faults(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Faults:
    faults = Faults()
    faults.strike_disk(monkeypatch)
    faults.strike_database(app, monkeypatch)
    # An error is answered, as in production.
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    return faults


@pytest.fixture(name="_kept", autouse=True)
def _keep_an_image(alice: RegistryClient) -> None:
    alice.push_blob(KEPT, CONFIG)
    alice.push_blob(KEPT, CONTENT)
    alice.push_manifest(KEPT, MANIFEST, "one")


@pytest.mark.parametrize(("seam", "when"), SEAMS, ids=map(" ".join, SEAMS))
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_fault_in_each_call_loses_nothing(
    app: Flask,
    alice: RegistryClient,
    faults: Faults,
    operation: Operation,
    seam: Seam,
    when: When,
) -> None:
    """The answer matches the effect, and the same request succeeds after the fault."""
    for position in itertools.count():
        case = Case(alice, f"alice/f{position}")
        operation.prepare(case)
        with faults.at(seam, position, when):
            response = operation.act(case)
        if response.status_code == operation.done:
            assert_done(case, operation)
        else:
            assert_unavailable(response)
        assert_whole(alice, KEPT)
        assert_clean(app)
        if not faults.happened:
            break
        COUNTS["sqlite"]["faults"] += 1
        if response.status_code != operation.done:
            repeat(case, operation)
            assert_done(case, operation)
    assert position or seam == "disk", "nothing ever failed"


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_conflict_in_each_statement_is_retried(
    app: Flask, alice: RegistryClient, faults: Faults, operation: Operation
) -> None:
    """The client gets a success, and learns nothing of the conflict."""
    for position in itertools.count():
        case = Case(alice, f"alice/f{position}")
        operation.prepare(case)
        with faults.at("conflict", position, "before"):
            response = operation.act(case)
        assert response.status_code == operation.done, response.data
        assert_done(case, operation)
        if not faults.happened:
            break
        COUNTS["sqlite"]["faults"] += 1


@pytest.mark.parametrize(("seam", "when"), SEAMS, ids=map(" ".join, SEAMS))
def test_collection_with_fault_in_each_call_keeps_needed_content(
    app: Flask, alice: RegistryClient, faults: Faults, seam: Seam, when: When
) -> None:
    """A collection that breaks off deletes nothing that is needed, and the next one
    finishes its work."""
    for position in itertools.count():
        garbage = alice.push_blob("alice/other", b"%d" % position)
        start(Case(alice, "alice/other"))
        with time_machine.travel(now() + timedelta(days=30), tick=False):
            with faults.at(seam, position, when), app.app_context():
                suppressed = (RegistryError, OperationalError)
                with contextlib.suppress(*suppressed):
                    registry.collect_garbage()
            happened = faults.happened
            assert_whole(alice, KEPT)
            assert_clean(app)
            with app.app_context():
                registry.collect_garbage()
        assert alice.head(f"/v2/alice/other/blobs/{garbage}").status_code == 404
        assert stored(app) == {DIGEST, digest_of(CONFIG)}
        if not happened:
            break
        COUNTS["sqlite"]["faults"] += 1
    assert position


def repeat(case: Case, operation: Operation) -> None:
    """Repeat the operation, as a client does after an error."""
    response = operation.act(case)
    if operation.takes and response.status_code == 404:
        return
    if response.status_code == 404:
        # The session had ended, so the client starts another.
        assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
        operation.prepare(case)
        response = operation.act(case)
    assert response.status_code == operation.done, response.data


def assert_unavailable(response: TestResponse) -> None:
    """Check that it is an error of the registry that permits a retry."""
    assert response.status_code == 503, (response.status, response.data)
    if response.request.method != "HEAD":
        assert errors(response)
    assert "Retry-After" in response.headers


def assert_done(case: Case, operation: Operation) -> None:
    """Check that the acknowledged effect exists."""
    if operation.brings:
        found = case.client.get(case.at(operation.brings))
        assert found.status_code == 200, found.data
        assert found.data == WHOLE.get(operation.brings, MANIFEST)
    if operation.takes:
        assert case.client.get(case.at(operation.takes)).status_code == 404


def assert_whole(client: RegistryClient, name: str) -> None:
    """Check that an image is served, byte for byte."""
    manifest = client.get(f"/v2/{name}/manifests/one")
    assert manifest.data == MANIFEST
    for content in (CONFIG, CONTENT):
        assert client.get(f"/v2/{name}/blobs/{digest_of(content)}").data == content


def assert_clean(app: Flask) -> None:
    """Check that the tables and the files are consistent."""
    result = app.test_cli_runner().invoke(args=["oci", "fsck", "--scrub", "--json"])
    assert result.exit_code == 0, result.output


def stored(app: Flask) -> set[str]:
    """Return the digests of the stored files."""
    with app.app_context():
        return set(map(str, app.extensions["oci"].storage.digests()))


def now() -> datetime:
    return datetime.now(timezone.utc)
