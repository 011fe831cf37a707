"""``flask oci copy-database`` between the supported databases."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime
from datetime import timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.clock import as_utc
from flask_oci.testing.requests import basic
from tests.conftest import MakeApp
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.database_servers import mariadb
from tests.support.database_servers import postgresql
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

pytestmark = pytest.mark.real

NAME = "alice/app"

#: The table of the identity of the storage, which a copy does not share.
STORAGE = "oci_storage"


def test_copied_rows_serve_from_every_database(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """Images, tokens and times are the same, and new keys are above all old ones."""
    origin = make_app()
    alice = RegistryClient.of(origin, "alice")
    manifest = alice.push_image(NAME, "1.0")
    refresh_token = log_in(alice, f"repository:{NAME}:pull")["refresh_token"]
    token = issue(origin, "alice").secret
    # The highest key of the database belongs to no row.
    alice.push_image("alice/removed", "1.0")
    with origin.app_context():
        removed = key_of("alice/removed")
        registry.repositories.delete("alice/removed")
    apps: list[Flask] = []
    with postgresql(durable=False) as first, mariadb(durable=False) as second:
        for number, url in enumerate((first, second, f"sqlite:///{tmp_path}/back.db")):
            source = apps[0] if number == 2 else origin
            copied = make_app(SQLALCHEMY_DATABASE_URI=copy(source, url))
            apps.append(copied)
            assert without_storage(copied) == without_storage(source)
            assert rows(copied)[STORAGE] != rows(source)[STORAGE]
            client = RegistryClient(copied, basic("alice", token))
            with client.get(f"/v2/{NAME}/manifests/1.0") as response:
                assert response.data == manifest
            answer = refresh(copied, refresh_token, f"repository:{NAME}:pull")
            assert answer.status_code == 200
        for number, app in enumerate(apps):
            assert Upkeep(app).run("storage", "adopt", "--yes").exit_code == 0
            RegistryClient.of(app, "alice").push_image("alice/new", "1.0")
            with app.app_context():
                assert number == 2 or key_of("alice/new") > removed
            with app.app_context():
                db.engine.dispose()


def copy(app: Flask, url: str) -> str:
    """Copy the database of an application to a URL, and return the URL."""
    done = Upkeep(app).run("copy-database", url, "--json")
    assert done.exit_code == 0, done.output
    fields = json.loads(done.stdout)
    assert fields["rows"] == sum(map(len, rows(app).values()))
    assert fields["left_out"] == []
    again = Upkeep(app).run("copy-database", url)
    assert again.exit_code == 1
    assert "has tables already" in again.stderr
    return url


def key_of(name: str) -> int:
    """Return the key of a repository."""
    models = registry.models.Repository
    return db.session.scalars(sa.select(models.id).filter_by(name=name)).one()


def rows(app: Flask) -> dict[str, list[t.Any]]:
    """Return the rows of all tables, with times in UTC."""
    with app.app_context():
        return {
            table.name: [
                tuple(map(in_utc, row))
                for row in db.session.execute(
                    sa.select(table).order_by(*table.primary_key)
                )
            ]
            for table in db.metadata.sorted_tables
        }


def without_storage(app: Flask) -> dict[str, list[t.Any]]:
    """Return the rows of all tables that a copy has unchanged."""
    return {name: found for name, found in rows(app).items() if name != STORAGE}


def ordered(table: sa.Table) -> sa.Select[t.Any]:
    """Return the query for all rows of a table."""
    return sa.select(table).order_by(*table.primary_key)


def in_utc(value: t.Any) -> t.Any:
    """Return a time with its zone and in whole seconds, as every database has it."""
    if isinstance(value, datetime):
        return as_utc(value).astimezone(timezone.utc).replace(microsecond=0)
    return value
