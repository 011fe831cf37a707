"""The recipe for applications with Flask-AppBuilder."""

from __future__ import annotations

import typing as t
from importlib.util import find_spec
from pathlib import Path

import pytest
from flask import Flask

from flask_oci import Registry
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.doc_blocks import BLOCKS
from tests.support.forge import unavailable
from tests.support.registry_client import RegistryClient

# Flask-AppBuilder takes seconds to store its permissions.
pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

PULL = "repository:alice/app:pull"


@pytest.fixture(name="names")
def _names(tmp_path: Path) -> t.Iterator[dict[str, t.Any]]:
    """The names of the recipe, in an application with the administrator alice."""
    if find_spec("flask_appbuilder") is None:
        unavailable("flask-appbuilder is missing: pip install flask-appbuilder")
    app = Flask("forge", instance_path=str(tmp_path))
    app.config.from_mapping(
        SECRET_KEY="only for tests, and long enough",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/forge.sqlite",
        FAB_PASSWORD_HASH_METHOD="pbkdf2:sha256:1",
        WTF_CSRF_ENABLED=False,
    )
    names: dict[str, t.Any] = {"app": app}
    codes = [b.code for b in BLOCKS if b.section == "Flask-AppBuilder"]
    assert len(codes) == 2
    for code in codes:
        exec(code, names)
    with app.app_context():
        manager = names["appbuilder"].sm
        admin = manager.find_role("Admin")
        address = "alice@example.org"
        assert manager.add_user("alice", "A", "L", address, admin, "wonderland")
    yield names
    with app.app_context():
        names["db"].session.remove()
        names["db"].engine.dispose()


def test_appbuilder_recipe_ends_tokens_when_the_password_changes(
    names: dict[str, t.Any],
) -> None:
    """Users push with their password or a token, sign in to the pages, and lose the
    tokens with the password."""
    app: Flask = names["app"]
    registry: Registry = names["registry"]
    manager = names["appbuilder"].sm
    alice = RegistryClient(app, basic("alice", "wonderland"))
    alice.push_image("alice/app", "v1")
    with app.app_context():
        user = manager.find_user("alice")
        secret = registry.access_tokens.issue(user).secret
    by_token, bearer = RegistryClient(app, basic("alice", secret)), alice.bearer(PULL)
    assert by_token.tags("alice/app") == bearer.tags("alice/app") == ["v1"]

    browser = app.test_client()
    sent = browser.get("/images/-/tokens")
    assert sent.location.startswith("/login/?next=")
    browser.post("/login/", data={"username": "alice", "password": "wonderland"})
    assert browser.get("/images/-/administration").status_code == 200
    form = {"password": "looking-glass", "conf_password": "looking-glass"}
    assert browser.post("/resetmypassword/form", data=form).status_code == 302
    for client in (alice, by_token, bearer):
        assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED")
    with app.app_context():
        assert registry.access_tokens.list(manager.find_user("alice")) == []
    assert RegistryClient(app, basic("alice", "looking-glass")).tags("alice/app")
