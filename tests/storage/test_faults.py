"""Faults of the disk and the database: a client gets 503, and its retry succeeds."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing import Fault
from flask_oci.testing import Faults
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.host import close_connections
from tests.support.host import db
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

NAME = "alice/app"
UPLOADS = f"/v2/{NAME}/blobs/uploads/"


def assert_unavailable(response: TestResponse) -> None:
    """Check for a 503 with Retry-After, in the registry's JSON."""
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"
    assert response.request.method == "HEAD" or refusal(response) == (
        503,
        "UNAVAILABLE",
    )


class Stubborn:
    """A client that sends what has failed once more.

    :param client: sends it.
    """

    def __init__(self, client: RegistryClient) -> None:
        self.client = client
        self.failures = 0

    def request(
        self, method: str, path: str, *args: t.Any, **kw: t.Any
    ) -> TestResponse:
        """Send a request, and repeat it after a 503."""
        response = self.client.request(method, path, *args, **kw)
        if response.status_code == 503:
            assert_unavailable(response)
            self.failures += 1
            response = self.client.request(method, path, *args, **kw)
        assert response.status_code != 503
        return response

    def append(self, location: str, content: bytes, start: int) -> TestResponse:
        """Send a chunk, and the missing part of it after a 503."""
        response = self.client.patch(location, content[start:])
        if response.status_code != 503:
            return response
        assert_unavailable(response)
        self.failures += 1
        response = self.client.get(location)
        if response.status_code == 404:
            return response
        stored = int(response.headers["Range"].partition("-")[2]) + 1
        stored = 0 if stored == 1 else stored
        return self.client.patch(location, content[stored:])


class Refused(Exception):
    """A client received a 503."""


class Impatient(Stubborn):
    """A client that does not retry."""

    def request(
        self, method: str, path: str, *args: t.Any, **kw: t.Any
    ) -> TestResponse:
        """Send a request once."""
        return self._once(self.client.request(method, path, *args, **kw))

    def append(self, location: str, content: bytes, start: int) -> TestResponse:
        """Send a chunk once."""
        return self._once(self.client.patch(location, content[start:]))

    def _once(self, response: TestResponse) -> TestResponse:
        if response.status_code == 503:
            assert_unavailable(response)
            raise Refused
        return response


def push_at_once(client: Stubborn, content: bytes) -> TestResponse:
    """Push a blob in one POST."""
    query = {"digest": digest_of(content)}
    return client.request("POST", UPLOADS, content, query=query)


def push_in_a_put(client: Stubborn, content: bytes) -> TestResponse:
    """Push a blob in the last request of a session."""
    location = client.request("POST", UPLOADS).headers["Location"]
    return client.request(
        "PUT", with_query(location, digest=digest_of(content)), content
    )


def push_as_docker(client: Stubborn, content: bytes) -> TestResponse:
    """Push a blob in one PATCH, and end the session."""
    location = client.request("POST", UPLOADS).headers["Location"]
    response = client.append(location, content, 0)
    if response.status_code == 404:
        return response
    return client.request("PUT", with_query(location, digest=digest_of(content)))


def push_in_chunks(client: Stubborn, content: bytes) -> TestResponse:
    """Push a blob in two PATCHes, and end the session."""
    location = client.request("POST", UPLOADS).headers["Location"]
    half = len(content) // 2
    for end in (half, len(content)):
        response = client.append(location, content[:end], 0 if end == half else half)
        if response.status_code == 404:
            return response
    return client.request("PUT", with_query(location, digest=digest_of(content)))


PUSHES = pytest.mark.parametrize(
    "push", [push_at_once, push_in_a_put, push_as_docker, push_in_chunks]
)
Push = t.Callable[[Stubborn, bytes], TestResponse]


@pytest.fixture(name="keeper")
def _keeper(app: Flask, alice: RegistryClient) -> Upkeep:
    """An administrator of a registry that has content."""
    alice.push_image(NAME, "before")
    return Upkeep(app)


def try_each(
    alice: RegistryClient,
    keeper: Upkeep,
    push: Push,
    fault: t.Callable[[int], t.ContextManager[Fault]],
) -> t.Iterator[tuple[Fault, TestResponse]]:
    """Push a blob with a fault at each call in turn."""
    for at in range(999):
        content = b"content %d, of some length" % at
        client = Stubborn(alice)
        with fault(at) as made:
            response = push(client, content)
        if made.happened is None:
            assert at > 3
            break
        yield made, response
        if response.status_code != 201:
            assert push(client, content).status_code == 201
        assert client.failures <= 1
        assert alice.get(f"/v2/{NAME}/blobs/{digest_of(content)}").data == content
    assert keeper.kinds("--scrub") == []
    assert keeper.gc()["blobs"] == []


@PUSHES
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_push_succeeds_after_a_fault_of_the_disk(
    alice: RegistryClient, keeper: Upkeep, push: Push, number: int
) -> None:
    """After a fault in any call to the disk, the same push succeeds, and continues
    unless the disk lost bytes."""
    for fault, response in try_each(
        alice, keeper, push, lambda at: Faults(alice.app).disk(at, number)
    ):
        if response.status_code != 201:
            assert response.status_code == 404
            assert fault.happened == "fsync"


def is_in_transaction(driver: t.Any) -> bool:
    """Return True if a connection has an open transaction."""
    if hasattr(driver, "in_transaction"):
        return bool(driver.in_transaction)
    if hasattr(driver, "server_status"):
        return bool(driver.server_status & 1)
    return bool(driver.info.transaction_status)


@PUSHES
def test_fault_leaves_no_open_transaction(
    app: Flask, alice: RegistryClient, keeper: Upkeep, push: Push
) -> None:
    """After any fault, the next user of the connection finds no open transaction."""
    with app.app_context():
        engine = db.engine
    left: list[bool] = []

    def look(driver: t.Any, _: object) -> None:
        left.append(is_in_transaction(driver))

    sa.event.listen(engine, "checkin", look)
    try:
        for fault, _ in try_each(
            alice, keeper, push, lambda at: Faults(app).database(at)
        ):
            assert left
            assert not any(left), fault.happened
            left.clear()
    finally:
        sa.event.remove(engine, "checkin", look)


@PUSHES
def test_push_succeeds_after_a_fault_of_the_database(
    app: Flask, alice: RegistryClient, keeper: Upkeep, push: Push
) -> None:
    """After a fault in any statement, the retry succeeds, also if the file was renamed
    already."""
    for fault, response in try_each(
        alice, keeper, push, lambda at: Faults(app).database(at)
    ):
        assert response.status_code == 201, fault.happened


@pytest.mark.parametrize(
    "request_",
    [
        ("GET", "/v2/"),
        ("GET", f"/v2/{NAME}/tags/list"),
        ("GET", f"/v2/{NAME}/manifests/before"),
        ("GET", "/v2/_catalog"),
        ("GET", "/v2/token?service=forge"),
        ("PUT", f"/v2/{NAME}/manifests/new"),
        ("HEAD", f"/v2/{NAME}/blobs/{digest_of(b'a layer')}"),
        ("DELETE", f"/v2/{NAME}/manifests/before"),
    ],
    ids=" ".join,
)
def test_each_request_succeeds_after_a_fault_of_the_database(
    app: Flask, alice: RegistryClient, keeper: Upkeep, request_: tuple[str, str]
) -> None:
    """A request gets 503 after a fault of the database, and its retry succeeds."""
    method, path = request_
    manifest = image(b"a layer")
    body = manifest if method == "PUT" else None
    headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    for at in range(99):
        with Faults(app).database(at) as fault:
            response = alice.request(
                method, path, body, headers=headers if body else {}
            )
            if fault.happened is None:
                break
            assert_unavailable(response)
            response = alice.request(
                method, path, body, headers=headers if body else {}
            )
        # A deletion that committed before the fault leaves nothing for the retry.
        gone = method == "DELETE" and response.status_code == 404
        assert response.status_code < 300 or gone, fault.happened
        alice.put_manifest(NAME, "before", manifest)
    assert at > 0
    assert keeper.fsck() == []


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.EMFILE, "too many files"),
        (errno.EIO, "reports errors"),
        (errno.ESTALE, "does not respond"),
    ],
)
def test_disk_error_names_its_cause(
    alice: RegistryClient, number: int, cause: str
) -> None:
    """The error names the cause for the operator."""
    with Faults(alice.app).disk(0, number, ["open"]):
        response = alice.post(UPLOADS, b"x", query={"digest": digest_of(b"x")})
    assert_unavailable(response)
    assert cause in response.get_json()["errors"][0]["message"]


def test_unreadable_blob_is_unavailable(alice: RegistryClient, keeper: Upkeep) -> None:
    """A blob that cannot be read gets 503 and not 404."""
    for method in ("HEAD", "GET"):
        path = f"/v2/{NAME}/blobs/{digest_of(b'a layer')}"
        with Faults(alice.app).disk(0, errno.EIO):
            assert_unavailable(alice.request(method, path))
        assert alice.request(method, path).status_code == 200


@pytest.mark.parametrize("command", [["gc"], ["fsck"], ["fsck", "--scrub"]])
def test_command_reports_faults_and_can_be_repeated(
    keeper: Upkeep, command: list[str]
) -> None:
    """The command names the file and goes on, and names a fault of the database and
    ends; the next run succeeds."""
    keeper.store(digest_of(b"an orphan"), b"an orphan")
    with Faults(keeper.app).disk(0, errno.EIO, ["open"]):
        result = keeper.run(*command)
    assert result.exit_code == (3 if command == ["gc"] else 1)
    assert "disk reports errors" in result.output
    with Faults(keeper.app).database(0):
        result = keeper.run(*command)
    assert result.exit_code == 2
    assert "database does not respond" in result.stderr
    assert keeper.run(*command).exit_code == 0


@PUSHES
def test_push_succeeds_after_too_many_open_files(
    alice: RegistryClient, keeper: Upkeep, push: Push
) -> None:
    """Without free file descriptors, a client gets 503."""
    # Connections of other tests would take some of the descriptors.
    close_connections()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    failures = 0
    for room in range(20):
        content = b"pushed with room for %d" % room
        client = Impatient(alice)
        with open(os.devnull, "rb") as free:
            lowest = free.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + room, limits[1]))
        try:
            push(client, content)
        except Refused:
            failures += 1
        else:
            break
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert push(Stubborn(alice), content).status_code == 201
        assert alice.get(f"/v2/{NAME}/blobs/{digest_of(content)}").data == content
    assert 0 < failures < 20
    assert keeper.kinds("--scrub") == []


def test_locked_database_is_unavailable(make_app: MakeApp, tmp_path: Path) -> None:
    """While another process locks the SQLite database, clients get 503."""
    app = make_app(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/locked.sqlite",
        SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 0.001}},
    )
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "1.0")
    other = sqlite3.connect(tmp_path / "locked.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert_unavailable(alice.post(UPLOADS))
    other.execute("COMMIT")
    other.close()
    assert alice.post(UPLOADS).status_code == 202
