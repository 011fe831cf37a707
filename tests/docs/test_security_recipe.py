"""The recipe for applications with Flask-Security."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask_security import Security
from flask_security import SQLAlchemyUserDatastore

from flask_oci import Registry
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.hosts.application import database
from tests.hosts.security import CONFIG
from tests.hosts.security import security_models
from tests.support.doc_blocks import BLOCKS
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:flask_security")


class Site(t.NamedTuple):
    """An application that follows the recipe, with the user alice."""

    app: Flask
    registry: Registry
    store: SQLAlchemyUserDatastore

    def alice(self) -> t.Any:
        return self.store.find_user(username="alice")

    def tokens(self) -> int:
        with self.app.app_context():
            return len(self.registry.access_tokens.list(self.alice()))

    def client(self, secret: str) -> RegistryClient:
        return RegistryClient(self.app, basic("alice", secret))


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> t.Iterator[Site]:
    db = database()
    User, Role = security_models(db)
    store = SQLAlchemyUserDatastore(db, User, Role)
    app = Flask("forge", instance_path=str(tmp_path))
    app.config.from_mapping(
        CONFIG,
        SECRET_KEY="only for tests",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        SECURITY_CHANGEABLE=True,
        SECURITY_USERNAME_ENABLE=True,
        SECURITY_SEND_PASSWORD_CHANGE_EMAIL=False,
        WTF_CSRF_ENABLED=False,
    )
    names: dict[str, t.Any] = {"db": db, "User": User, "app": app}
    names["user_datastore"] = store
    codes = [b.code for b in BLOCKS if b.section == "Flask-Security"]
    assert len(codes) == 2
    for code in codes:
        # The models are those of the test.
        lines = (ln for ln in code.splitlines() if not ln.startswith("from .models"))
        exec("\n".join(lines), names)
    registry: Registry = names["registry"]
    db.init_app(app)
    registry.init_app(app)
    app.register_blueprint(registry.web_blueprint, url_prefix="/images")
    Security(app, store)
    with app.app_context():
        db.create_all()
        role = store.create_role(name="admin")
        user = {"username": "alice", "email": "alice@example.org"}
        store.create_user(**user, password="wonderland", roles=[role])
        db.session.commit()
    yield Site(app, registry, store)
    with app.app_context():
        db.engine.dispose()


def test_security_recipe_ends_tokens_when_the_password_changes(site: Site) -> None:
    """By Flask-Security's own form. The user is still signed in, and has no tokens."""
    alice = site.client("wonderland")
    alice.push_image("alice/app", "v1")
    with site.app.app_context():
        secret = site.registry.access_tokens.issue(site.alice()).secret
    by_token, bearer = site.client(secret), alice.bearer()
    for client in (by_token, bearer):
        assert client.get("/v2/").status_code == 200
    browser = site.app.test_client()
    login = {"username": "alice", "password": "wonderland"}
    assert browser.post("/login", json=login).status_code == 200
    change = {
        "password": "wonderland",
        "new_password": "looking-glass",
        "new_password_confirm": "looking-glass",
    }
    assert browser.post("/change", json=change).status_code == 200
    for client in (alice, by_token, bearer):
        assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED")
    assert site.tokens() == 0
    assert "There are no tokens yet." in browser.get("/images/-/tokens").text
    assert site.client("looking-glass").tags("alice/app") == ["v1"]


def test_security_recipe_has_login_page_and_administrators(site: Site) -> None:
    """The pages lead to the login page, and the role opens the administration."""
    browser = site.app.test_client()
    sent = browser.get("/images/-/tokens")
    assert sent.location.startswith("/login?next=")
    assert browser.get("/images/-/administration").status_code == 404
    login = {"username": "alice", "password": "wonderland"}
    assert browser.post("/login", json=login).status_code == 200
    assert browser.get("/images/-/administration").status_code == 200
