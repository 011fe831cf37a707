"""Whether the registry can do its work, and who is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.operations.health import Health
from flask_oci.testing import Faults
from tests.support.host import DATABASE_URL
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import statements


def look(app: Flask, **kwargs: int) -> Health:
    """Look at an application."""
    with app.app_context():
        return registry.health(**kwargs)


def test_all_is_well(app: Flask, alice: RegistryClient) -> None:
    """A registry that answers requests says so, and nothing is left of the question."""
    alice.push_image("alice/app", "v1")
    Upkeep(app).gc()
    before = sorted(map(str, Path(app.instance_path).rglob("oci/**/*")))
    health = look(app, min_free=1)
    assert health.ok
    assert set(health.as_dict().values()) == {"ok"}
    assert sorted(map(str, Path(app.instance_path).rglob("oci/**/*"))) == before


def test_a_new_registry_is_well(app: Flask) -> None:
    """Nothing has been pushed yet, and that is no fault."""
    assert look(app).ok


def test_it_costs_two_statements(app: Flask, alice: RegistryClient) -> None:
    """A monitor may ask every second."""
    alice.push_blob("alice/app", b"something")
    with statements(app) as sent:
        look(app)
    assert len([s for s in sent if not s.startswith("BEGIN")]) == 2


def test_a_database_that_does_not_answer(app: Flask) -> None:
    """The check fails, and does not report the cause to the client."""
    with Faults(app).database(0):
        health = look(app)
    assert not health.ok
    assert health.as_dict()["status"] == "failing"
    assert health.database == "The database does not answer as it should."
    assert health.storage is None
    assert look(app).ok


@pytest.mark.skipif(bool(DATABASE_URL), reason="a test cannot drop everybody's table")
def test_a_table_that_is_not_there(app: Flask, tmp_path: Path) -> None:
    """A database that has not been upgraded is not well."""
    with app.app_context():
        db.session.execute(sa.text("ALTER TABLE oci_event RENAME TO elsewhere"))
        db.session.commit()
    try:
        assert look(app).database
    finally:
        with app.app_context():
            db.session.execute(sa.text("ALTER TABLE elsewhere RENAME TO oci_event"))
            db.session.commit()
    assert look(app).ok


def test_a_disk_that_cannot_be_written(app: Flask, alice: RegistryClient) -> None:
    """A file system that has become read-only is found before the next push is."""
    alice.push_blob("alice/app", b"something")
    with Faults(app).disk(0, 30, calls=("open", "mkdir")):
        health = look(app)
    assert not health.ok
    assert health.storage == "The storage cannot be written to."


def test_little_room(app: Flask, alice: RegistryClient) -> None:
    """It is a warning: images can still be pulled."""
    alice.push_blob("alice/app", b"something")
    health = look(app, min_free=1 << 62)
    assert health.ok
    assert health.space is not None
    assert health.space.startswith("Only")
    assert os.path.isdir(app.instance_path)
