"""The recipe for users with e-mail addresses as names, in an application."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_login import login_user
from flask_login import LoginManager
from flask_login import UserMixin
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci import Registry
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.hosts.application import database
from tests.support.doc_blocks import BLOCKS
from tests.support.registry_client import RegistryClient

NAME = "alice/app"
PULL = f"/v2/{NAME}/manifests/v1"
START = f"/v2/{NAME}/blobs/uploads/"


class Host(t.NamedTuple):
    """An application and its clients."""

    app: Flask
    registry: Registry
    db: t.Any
    User: t.Any

    def client(self, name: str) -> RegistryClient:
        return RegistryClient(self.app, basic(f"{name}@example.org", "password"))

    def publish(self, visibility: str) -> None:
        with self.app.app_context():
            self.registry.repositories.set_visibility(NAME, visibility)

    def listed(self, name: str | None) -> list[str]:
        scope = "registry:catalog:*"
        client = RegistryClient(self.app) if name is None else self.client(name)
        answer = client.bearer(scope).get("/v2/_catalog")
        return t.cast("list[str]", answer.get_json()["repositories"])


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> t.Iterator[Host]:
    """An application that follows the recipe, with an image of alice."""
    db: t.Any = database()

    class User(UserMixin, db.Model):  # type: ignore[misc]
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(sa.String(80), unique=True)

    (code,) = (
        b.code
        for b in BLOCKS
        if b.page == "docs/hosts.rst" and 'username="email"' in b.code
    )
    names: dict[str, t.Any] = {"db": db, "User": User, "Registry": Registry}
    exec(code, names)
    registry: Registry = names["registry"]

    @registry.authenticate
    def check(username: str, secret: str) -> t.Any:
        return db.session.scalar(sa.select(User).filter_by(email=username))

    app = Flask("forge", instance_path=str(tmp_path))
    app.config.from_mapping(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    manager = LoginManager(app)
    manager.user_loader(lambda key: db.session.get(User, int(key)))
    registry.init_app(app)
    app.register_blueprint(registry.web_blueprint, url_prefix="/images")

    @app.post("/enter/<name>")
    def enter(name: str) -> str:
        login_user(check(f"{name}@example.org", ""))
        return ""

    with app.app_context():
        db.create_all()
        for name in ("alice", "bob"):
            db.session.add(User(email=f"{name}@example.org"))
        db.session.commit()
    host = Host(app, registry, db, User)
    host.client("alice").push_image(NAME, "v1")
    yield host
    with app.app_context():
        db.engine.dispose()


def test_email_recipe_gives_private_image_to_its_owner_only(host: Host) -> None:
    """Another user sees nothing, and cannot push below the name of alice."""
    assert host.client("alice").get(PULL).status_code == 200
    assert refusal(host.client("bob").get(PULL))[0] == 404
    assert refusal(host.client("bob").post(START)) == (403, "DENIED")
    assert refusal(host.client("bob").post("/v2/alice/b/blobs/uploads/"))[0] == 403
    assert refusal(RegistryClient(host.app).get(PULL))[0] == 401
    assert host.listed("alice") == [NAME]
    assert host.listed("bob") == host.listed(None) == []


def test_email_recipe_keeps_the_visibility_of_images(host: Host) -> None:
    """An image that its owner publishes can be pulled, and not pushed, by others."""
    host.publish("internal")
    assert host.client("bob").get(PULL).status_code == 200
    assert host.listed("bob") == [NAME]
    assert refusal(RegistryClient(host.app).get(PULL))[0] == 401
    host.publish("public")
    assert RegistryClient(host.app).get(PULL).status_code == 200
    assert host.listed(None) == [NAME]
    assert refusal(host.client("bob").post(START)) == (403, "DENIED")
    host.publish("private")
    assert refusal(host.client("bob").get(PULL))[0] == 404


def test_email_recipe_lets_owner_change_the_visibility(host: Host) -> None:
    """The owner, and no other user, has the settings of the image."""
    settings = f"/images/{NAME}/-/settings"
    for name, status in (("alice", 200), ("bob", 404)):
        browser = host.app.test_client()
        browser.post(f"/enter/{name}")
        assert browser.get(settings).status_code == status


def test_email_recipe_gives_no_image_to_later_user_of_the_address(host: Host) -> None:
    """The key of the owner decides, as in the default policy."""
    with host.app.app_context():
        host.db.session.delete(host.db.session.get(host.User, 1))
        host.db.session.commit()
        host.db.session.add(host.User(id=9, email="alice@example.org"))
        host.db.session.commit()
    assert refusal(host.client("alice").get(PULL))[0] == 404
    assert host.listed("alice") == []
