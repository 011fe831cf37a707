"""``flask oci check`` compares the processes that serve one registry."""

from __future__ import annotations

import socket

import pytest
from flask import Flask

from flask_oci.clock import utcnow
from tests.conftest import MakeApp
from tests.support.check_world import check
from tests.support.host import DATABASE_URL
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

SECRET = "the secret key of all nodes"
OTHER = "the secret key of one node only"


def serve(app: Flask) -> None:
    """Serve a request, after which the process reports how it is set up."""
    with RegistryClient.of(app, "alice").get("/v2/"):
        pass


def node(make_app: MakeApp, **config: object) -> Flask:
    """Return the application of one node."""
    return make_app(**{"SECRET_KEY": SECRET, "TESTING": False, **config})


def found(app: Flask) -> dict[str, str]:
    """Return the findings about nodes, each with its detail."""
    findings = check(app).findings
    return {c: f["detail"] for c, f in findings.items() if c.startswith("nodes-")}


def test_check_of_equal_nodes_finds_nothing(make_app: MakeApp) -> None:
    """Settings of one machine, such as its folder, may differ."""
    options: dict[str, object] = {"OCI_EVENTS": ["tag.*", "repository.*"]}
    first = node(make_app, **options)
    second = node(make_app, OCI_WORK=None, OCI_STORAGE_RESERVE=1, **options)
    serve(first)
    serve(second)
    assert found(first) == found(second) == {}


def test_check_names_different_keys_and_settings(make_app: MakeApp) -> None:
    """A former key is enough to accept a token. Fingerprints reveal no value."""
    first = node(make_app)
    second = node(make_app, OCI_GRACE_PERIOD=60, OCI_REQUIRE_LOGIN=True)
    serve(second)
    assert found(first) == {
        "nodes-settings": "OCI_GRACE_PERIOD, OCI_REQUIRE_LOGIN: here and on"
        f" {socket.gethostname()}."
    }
    rotated = node(make_app, SECRET_KEY=OTHER, SECRET_KEY_FALLBACKS=[SECRET])
    assert "nodes-keys" in found(rotated)
    late = node(make_app, SECRET_KEY=OTHER)
    assert "unknown on" in found(late)["nodes-keys"]
    with first.app_context():
        (row,) = db.session.scalars(db.select(registry.models.Node))
        assert SECRET not in str(row.__dict__)


def test_check_names_clocks_machines_and_versions(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several machines cannot share SQLite, and only carefully a disk."""
    app = node(make_app)
    serve(app)
    assert found(app) == {}
    table = registry.models.Node.__table__
    with app.app_context():
        (row,) = db.session.execute(db.select(table))
        other = {"id": "another", "host": "node2", "version": "9", "clock": -3600.0}
        db.session.execute(db.insert(table), {**row._mapping, **other})
        db.session.commit()
    codes = {"nodes-clock", "nodes-disk", "nodes-version"}
    shared = set() if DATABASE_URL else {"nodes-sqlite"}
    details = found(app)
    assert details.keys() == codes | shared
    assert details["nodes-clock"] == "node2 is 3600 seconds behind."
    with app.app_context():
        db.session.execute(db.update(table).values(seen_at=utcnow().replace(year=2020)))
        db.session.commit()
    assert found(app) == {}


def test_tests_of_a_host_report_no_node(make_app: MakeApp) -> None:
    """An application with TESTING writes nothing."""
    app = make_app(SECRET_KEY=SECRET)
    serve(app)
    with app.app_context():
        assert db.session.scalar(db.select(registry.models.Node)) is None
