"""Hosts whose tables are in a database that their connections attach (SQLite)."""

from __future__ import annotations

import typing as t
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci import Registry
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.requests import basic

INDEX = b'{"schemaVersion":2,"mediaType":"%s","manifests":[]}' % OCI_INDEX.encode()
MANIFEST = "/v2/alice/app/manifests/v1"


def attaching_host(folder: Path) -> Flask:
    """Return a host whose tables are in the schema ``forge``, a file of its own."""

    class Base(DeclarativeBase):
        metadata = sa.MetaData(schema="forge")

    db = SQLAlchemy(model_class=Base)

    class User(db.Model):  # type: ignore[misc, name-defined]
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column(unique=True)

    app = Flask("forge", instance_path=str(folder))
    app.config.update(
        SECRET_KEY="only for tests",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/main.sqlite",
    )
    db.init_app(app)
    registry = Registry(db, User, active=lambda user: True)
    registry.init_app(app)

    @registry.authenticate
    def check(username: str, secret: str) -> t.Any:
        return db.session.scalar(sa.select(User).filter_by(username=username))

    def attach(connection: t.Any, record: object) -> None:
        connection.execute(f"ATTACH DATABASE '{folder}/forge.sqlite' AS forge")

    with app.app_context():
        sa.event.listen(db.engine, "connect", attach)
        db.create_all()
        db.session.add(User(username="alice"))
        db.session.commit()
    return app


def test_commit_to_an_attached_database_counts(tmp_path: Path) -> None:
    """The version of the main database does not change with the attached one, so each
    read executes a statement."""
    client = attaching_host(tmp_path).test_client()
    headers = {"Authorization": basic("alice", "wonderland"), "Content-Type": OCI_INDEX}
    assert client.put(MANIFEST, data=INDEX, headers=headers).status_code == 201
    headers.pop("Content-Type")
    for _ in range(2):
        assert client.get(MANIFEST, headers=headers).status_code == 200
    engine = sa.create_engine(f"sqlite:///{tmp_path}/forge.sqlite")
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM oci_tag"))
    engine.dispose()
    assert client.get(MANIFEST, headers=headers).status_code == 404


def test_connection_that_cannot_be_used_is_opened_once(tmp_path: Path) -> None:
    """The reads that follow do not try again."""
    client = attaching_host(tmp_path).test_client()
    opened: list[object] = []
    for _ in range(2):
        client.get(MANIFEST)
    with client.application.app_context():
        engine = client.application.extensions["sqlalchemy"].engine
        sa.event.listen(engine, "connect", lambda *_: opened.append(1))
    for _ in range(3):
        client.get(MANIFEST)
    assert opened == []
