"""Two applications on one PostgreSQL server, as two nodes."""

from __future__ import annotations

import threading
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.operations.metrics import State
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.conftest import MakeApp
from tests.support.database_servers import postgresql
from tests.support.host import db
from tests.support.host import registry
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

pytestmark = pytest.mark.real

NAME = "alice/app"

Nodes = tuple[Flask, Flask]


@pytest.fixture(name="nodes")
def _nodes(make_app: MakeApp) -> t.Iterator[Nodes]:
    """Two applications that share the database, the key and the folder."""
    with postgresql(durable=False) as url:
        config: dict[str, object] = {
            "SQLALCHEMY_DATABASE_URI": url,
            "OCI_WEBHOOK_NETWORKS": ["127.0.0.0/8"],
        }
        first, second = make_app(**config), make_app(**config)
        yield first, second
        for app in (first, second):
            with app.app_context():
                db.engine.dispose()


def test_nodes_share_pulls_totals_and_limits(nodes: Nodes) -> None:
    """Pulls add up, the metrics agree, and failed logins count on both nodes."""
    first = nodes[0]
    clients = [RegistryClient.of(app, "alice") for app in nodes]
    clients[0].push_image(NAME, "1.0")
    for client, pulls in zip(clients, (3, 4), strict=True):
        for _ in range(pulls):
            with client.get(f"/v2/{NAME}/manifests/1.0") as response:
                assert response.status_code == 200
    for app in nodes:
        with app.app_context():
            app.extensions["oci"].pulls.write()
    with first.app_context():
        assert db.session.scalar(sa.select(registry.models.Repository.pull_count)) == 7
    Upkeep(first).gc()
    clients[1].push_blob(NAME, b"another")
    values = []
    for app in nodes:
        with app.app_context():
            parts = app.extensions["oci"]
            metrics = list(State(parts.catalog, parts.storage).collect())
            samples = {m.name: [s.value for s in m.samples] for m in metrics}
            values.append((samples["oci_blobs"], samples["oci_storage_bytes"]))
    assert values[0] == values[1]
    with first.app_context():
        assert not any(registry._catalog.usage.drift())
    wrong = [RegistryClient(app, basic("alice", "wrong")) for app in nodes]
    answers = [wrong[n % 2].get("/v2/token").status_code for n in range(40)]
    assert 429 in answers
    assert wrong[answers.index(429) % 2 - 1].get("/v2/token").status_code == 429


def test_nodes_deliver_each_event_once_and_in_order(nodes: Nodes) -> None:
    """Two workers deliver at the same time."""
    alice = RegistryClient.of(nodes[0], "alice")
    with Receiver() as receiver:
        added = Upkeep(nodes[0]).run("webhooks", "add", receiver.url, "--kind", "tag.*")
        assert added.exit_code == 0, added.output
        alice.push_blob(NAME, LAYER)
        alice.push_image(NAME, "t00")
        for number in range(1, 20):
            alice.push_manifest(NAME, image(LAYER), f"t{number:02}")
        workers = [
            threading.Thread(
                target=Upkeep(app).run, args=("events", "deliver", "--json")
            )
            for app in nodes
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        tags = [taken.json["data"]["tag"] for taken in receiver.taken]
    assert tags == [f"t{number:02}" for number in range(20)]


def test_counters_do_not_drift_while_nodes_push_and_recount(nodes: Nodes) -> None:
    """A recount takes no lock that pushes wait for, and is exact."""
    errors: list[BaseException] = []

    def push(app: Flask, node: int) -> None:
        try:
            client = RegistryClient.of(app, "alice")
            for number in range(25):
                client.push_blob(f"alice/app{node}", b"%d %d" % (node, number))
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=push, args=(app, number))
        for number, app in enumerate(nodes * 2)
    ]
    for thread in threads:
        thread.start()
    with nodes[0].app_context():
        while any(thread.is_alive() for thread in threads):
            registry._catalog.usage.recount()
    for thread in threads:
        thread.join()
    assert errors == []
    with nodes[0].app_context():
        assert not any(registry._catalog.usage.drift())
        assert registry._catalog.usage.totals()[:2] == (4, 100)
