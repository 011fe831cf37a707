"""One fetch for many clients, in one process and in several."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from flask_oci.services import services
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.upstreams import download
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

from .conftest import age
from .conftest import Upstreamed

NAME = "hub/library/big"
LAYERS = [bytes([n]) * 100_000 for n in range(6)]
BIG = image(*LAYERS)
TAG = f"/v2/{NAME}/manifests/1"
LAYER = f"/v2/{NAME}/blobs/{digest_of(LAYERS[0])}"

#: The number of clients that ask at once.
CLIENTS = 12


@pytest.fixture(name="gate")
def _gate(up: Upstreamed) -> t.Iterator[threading.Event]:
    """An upstream that stops in the middle of each blob until the gate is open."""
    up.hub.push("library/big", "1", manifest=BIG, blobs=(CONFIG, *LAYERS))
    gate = threading.Event()
    up.hub.pause = lambda: gate.wait(30)
    yield gate
    gate.set()
    up.settle()


def reach(up: Upstreamed, number: int) -> None:
    """Wait until the upstream was asked for a number of blobs."""
    pause = threading.Event()
    for _ in range(3000):
        if up.blobs() >= number:
            return
        pause.wait(0.01)
    raise AssertionError(up.hub.asked)


def test_many_clients_fetch_each_blob_once(
    up: Upstreamed, gate: threading.Event
) -> None:
    """A client that asks in the middle of the download gets all bytes."""
    alice = up.client()
    with ThreadPoolExecutor(CLIENTS) as pool:
        pulls = [pool.submit(alice.pull, NAME, "1") for _ in range(CLIENTS)]
        reach(up, 1)
        gate.set()
        assert {pull.result(60).digest for pull in pulls} == {digest_of(BIG)}
    assert (up.heads(), up.gets(), up.blobs()) == (1, 1, 1 + len(LAYERS))


def test_other_process_reads_from_the_same_download(
    up: Upstreamed, gate: threading.Event
) -> None:
    """Applications that share the database and the disk are processes of one forge."""
    first = RegistryClient.of(up.app(), "alice")
    second = RegistryClient.of(up.app(), "bob")
    first.get(TAG)
    with ThreadPoolExecutor(2) as pool:
        pulls = [pool.submit(first.get, LAYER)]
        reach(up, 1)
        pulls.append(pool.submit(second.get, LAYER))
        assert not pulls[0].done()
        gate.set()
        assert [pull.result(60).data for pull in pulls] == [LAYERS[0]] * 2
    assert up.blobs() == 1


def test_client_that_leaves_does_not_end_the_fetch(
    up: Upstreamed, gate: threading.Event
) -> None:
    """No connection to the database is in use while the bytes arrive."""
    app = up.app()
    alice = RegistryClient.of(app, "alice")
    alice.get(TAG)
    with app.test_client() as client:
        response = client.get(
            LAYER, headers={"Authorization": str(alice.authorization)}, buffered=False
        )
        assert response.status_code == 200
        assert Administrator(app).connections_in_use() == 0
        response.close()
    gate.set()
    up.settle()
    assert alice.get(LAYER).data == LAYERS[0]
    assert up.blobs() == 1


def test_fetch_of_a_killed_process_is_taken_over(
    up: Upstreamed, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease ends by the clock of the database, and the client gets all bytes."""
    monkeypatch.setattr(download, "RENEW", 3600.0)
    first = RegistryClient.of(up.app(), "alice")
    second = RegistryClient.of(up.app(), "bob")
    first.get(TAG)
    with ThreadPoolExecutor(2) as pool:
        pool.submit(first.get, LAYER)
        reach(up, 1)
        taken = pool.submit(second.get, LAYER)
        with second.app.app_context():
            Fetch = registry.models.UpstreamFetch
            db.session.execute(sa.update(Fetch).values(leased_until=0))
            db.session.commit()
        reach(up, 2)
        gate.set()
        assert taken.result(60).data == LAYERS[0]
    up.settle()
    assert second.get(LAYER).data == LAYERS[0]
    with second.app.app_context():
        assert (
            services().catalog.upstreams.leases.current(NAME, digest_of(LAYERS[0]))
            is None
        )


def test_stale_tag_is_served_while_another_request_checks_it(
    up: Upstreamed, gate: threading.Event
) -> None:
    """Only one of many requests waits for the upstream."""
    alice = up.client()
    alice.get(TAG)
    age(alice.app, minutes=6)
    asked, answer = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        answer.wait(30)

    up.hub.before = hang
    with ThreadPoolExecutor(1) as pool:
        checking = pool.submit(alice.get, TAG)
        assert asked.wait(30)
        assert alice.get(TAG).data == BIG
        answer.set()
        assert checking.result(60).data == BIG
    assert up.heads() == 2
