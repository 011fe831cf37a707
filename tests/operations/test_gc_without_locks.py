"""Collections and pushes on machines whose locks on files do not exclude each other."""

from __future__ import annotations

import fcntl
import typing as t

import pytest
from flask import Flask

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from tests.support.host import DATABASE_URL
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
BLOB = digest_of(LAYER)
PATH = f"/v2/{NAME}/blobs/{BLOB}"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATABASE_URL, reason="SQLite serves one machine"),
]


@pytest.fixture(autouse=True)
def _without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept each lock on a file, as some shared file systems do."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)


class Client:
    """A client that pushes a blob, and knows whether that was acknowledged."""

    def __init__(self, app: Flask) -> None:
        self.alice = RegistryClient.of(app, "alice")
        self.status = 0

    def push(self) -> None:
        put = f"{self.alice.start_upload(NAME)}?digest={BLOB}"
        self.status = self.alice.put(put, LAYER).status_code

    def check(self, step: int) -> None:
        """Check that an acknowledged blob is there, and that another push succeeds."""
        if self.status == 503:
            self.push()
        assert self.status == 201, step
        assert self.alice.get(PATH).data == LAYER, step


def leave_unlinked(client: Client) -> None:
    """Leave the row and the file of a blob that no repository links."""
    client.push()
    assert client.alice.delete(PATH).status_code == 202


def leave_file(client: Client, keeper: Upkeep) -> None:
    """Leave an old file without a row."""
    leave_unlinked(client)
    with later(LONG):
        keeper.gc()
    keeper.store(BLOB, LAYER)


@pytest.mark.parametrize("has_row", [True, False])
def test_acknowledged_blob_is_kept_at_each_step_of_collection(
    app: Flask, has_row: bool
) -> None:
    """A push at each step of a collection that deletes the same bytes."""
    client, keeper = Client(app), Upkeep(app)
    steps: t.Any = None
    at = 0
    while steps is None or at <= steps.count:
        leave_unlinked(client) if has_row else leave_file(client, keeper)
        with later(LONG), interleaved(app, client.push, at) as steps:
            keeper.gc()
        if at < steps.count:
            client.check(at)
            client.alice.delete(PATH)
        at += 1
    assert at > 10


@pytest.mark.parametrize("has_row", [True, False])
def test_acknowledged_blob_is_kept_at_each_step_of_push(
    app: Flask, has_row: bool
) -> None:
    """A collection at each step of a push."""
    client, keeper = Client(app), Upkeep(app)
    steps: t.Any = None
    at = 0
    while steps is None or at <= steps.count:
        leave_unlinked(client) if has_row else leave_file(client, keeper)
        with later(LONG), interleaved(app, keeper.gc, at) as steps:
            client.push()
        client.check(at)
        client.alice.delete(PATH)
        at += 1
    assert at > 10
