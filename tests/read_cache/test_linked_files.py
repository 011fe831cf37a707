"""A database file that the host's address names by a symbolic link (SQLite)."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import MakeApp
from tests.support.host import DATABASE_URL
from tests.support.host import db
from tests.support.registry_client import RegistryClient

NAME = "alice/app"
MANIFEST = f"/v2/{NAME}/manifests/v1"


@pytest.mark.skipif(DATABASE_URL is not None, reason="a SQLite file")
def test_link_to_another_file_counts(make_app: MakeApp, tmp_path: Path) -> None:
    """After the link leads to a backup, answers come from the backup as soon as the
    host's connections are opened again, which a pool does by itself."""
    link, first = tmp_path / "forge.sqlite", tmp_path / "first.sqlite"
    second = tmp_path / "second.sqlite"
    first.touch()
    link.symlink_to(first)
    app = make_app(SQLALCHEMY_DATABASE_URI=f"sqlite:///{link}", OCI_CACHE_POLICY=True)
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "v1")
    puller = alice.bearer(f"repository:{NAME}:pull")
    assert puller.get(MANIFEST).status_code == 200
    shutil.copy(first, second)
    with sqlite3.connect(second) as connection:
        connection.execute("DELETE FROM oci_tag WHERE name = 'v1'")
    connection.close()
    link.unlink()
    link.symlink_to(second)
    with app.app_context():
        db.session.connection().invalidate()
        db.session.rollback()
    assert puller.get(MANIFEST).status_code == 404
