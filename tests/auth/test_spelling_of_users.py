"""User names in a database that ignores the case of letters."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci import Registry
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.registry_client import RegistryClient


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Person(db.Model):  # type: ignore[misc, name-defined]
    id: Mapped[int] = mapped_column(primary_key=True)
    # The default comparison of MySQL.
    username: Mapped[str] = mapped_column(sa.String(80, collation="NOCASE"))


registry = Registry(db, Person)


@registry.authenticate
def check(username: str, secret: str) -> Person | None:
    """Return the user with a name, in any spelling."""
    return db.session.scalar(sa.select(Person).filter_by(username=username))


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> t.Iterator[Flask]:
    app = Flask("spelling", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY="only for tests",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/people.sqlite",
    )
    db.init_app(app)
    registry.init_app(app)
    with app.app_context():
        db.create_all()
        db.session.add_all([Person(username="ALICE"), Person(username="bob")])
        db.session.commit()
    yield app
    with app.app_context():
        db.engine.dispose()


def test_namespace_in_other_spelling_is_refused(app: Flask) -> None:
    """A user who logs in as alice is ALICE, and no repository name can begin with
    ALICE."""
    for name in ("ALICE", "alice"):
        client = RegistryClient(app, basic(name, "x"))
        response = client.post("/v2/alice/app/blobs/uploads/")
        assert refusal(response) == (403, "DENIED")


def test_new_repository_belongs_to_user_who_pushes(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob may push to a namespace without a user. The repository belongs to bob, not to
    the user that the database finds by the name."""
    monkeypatch.setattr(registry._hooks, "authorize", lambda *asked: True)
    RegistryClient(app, basic("bob", "x")).push_image("alice/app", "v1")
    with app.app_context():
        owner = registry.repositories.find("alice/app").owner_id
        bob = db.session.scalar(sa.select(Person).filter_by(username="bob"))
        assert bob is not None
        assert bob.id == owner


def test_access_token_with_other_spelling_is_refused(app: Flask) -> None:
    """An access token needs the exact name of its user."""
    with app.app_context():
        user = db.session.scalar(sa.select(Person).filter_by(username="ALICE"))
        secret = registry.access_tokens.issue(user).secret
    for name, status in (("ALICE", 200), ("alice", 401), ("bob", 401)):
        client = RegistryClient(app, basic(name, secret))
        assert client.get("/v2/").status_code == status
