"""The views for Flask-Admin."""

from __future__ import annotations

import re
import typing as t

import pytest
from flask import Flask
from flask_admin import Admin
from flask_babel import Babel

from flask_oci.admin import make_views
from flask_oci.admin import VIEWS
from flask_oci.signals import audited
from tests.support.credentials import by_access_token
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Visitor

pytestmark = [
    pytest.mark.shape("Flask-Admin"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:flask_admin"),
]


@pytest.fixture(name="admin")
def _admin(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Bob, an administrator of an application with the views."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "bob")
    Babel(app)
    admin = Admin(app)
    for view in make_views(registry, db):
        admin.add_view(view)
    return Visitor(app, "bob")


def view(model: str) -> str:
    """Return the address of the view of a model."""
    return f"/admin/oci_{model.lower()}/"


def send(visitor: Visitor, address: str, path: str, **fields: t.Any) -> None:
    """Send a form of a view, with the token of its list."""
    html = visitor.client.get(address).text
    tokens = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', html)
    answer = visitor.client.post(
        address + path, data={**fields, "csrf_token": tokens[0]}
    )
    assert answer.status_code == 302


def test_views_show_the_tables_without_secrets(
    app: Flask, admin: Visitor, alice: RegistryClient
) -> None:
    """An administrator sees all rows. To all others, no view exists."""
    alice.push_image("alice/hello", "latest")
    by_access_token(app, "alice", name="<b>laptop")
    with app.app_context():
        webhook = registry.events.add_webhook("http://localhost:1/")
        db.session.rollback()
    seen = {model: admin.client.get(view(model)) for model, *_ in VIEWS}
    assert {response.status_code for response in seen.values()} == {200}
    pages = {model: response.text for model, response in seen.items()}
    assert "alice/hello" in pages["Repository"]
    assert "alice" in pages["Credential"]
    assert "&lt;b&gt;laptop" in pages["Credential"]
    assert "tag.moved" in pages["Event"]
    assert webhook.secret not in "".join(pages.values())
    for other in (Visitor(app, "alice"), Visitor(app)):
        for model, *_ in VIEWS:
            for path in ("", "details/?id=1", "edit/?id=1", "new/", "export/csv/"):
                assert other.client.get(view(model) + path).status_code == 404
            assert other.client.post(f"{view(model)}delete/").status_code == 404
            assert other.client.post(f"{view(model)}action/").status_code == 404


def test_views_change_only_by_the_functions_of_the_registry(
    app: Flask, admin: Visitor, alice: RegistryClient
) -> None:
    """Each change is recorded with its user, and needs the token of the form."""
    alice.push_image("alice/hello", "latest")
    client = by_access_token(app, "alice")
    with app.app_context():
        webhook = registry.events.add_webhook("http://localhost:1/").id
        repository = registry.repositories.find("alice/hello")
        user = app.extensions["oci"].catalog.users.by_name("alice")
        (token,) = [c.id for c in registry.access_tokens.list(user)]
        db.session.rollback()
    assert repository is not None
    heard: list[t.Any] = []

    def receive(*_: object, event: t.Any) -> None:
        heard.append((event.action, event.actor))

    rows = {"Repository": repository.id, "Credential": token, "Webhook": webhook}
    with audited.connected_to(receive):
        for model, key in rows.items():
            admin.client.post(f"{view(model)}delete/", data={"id": key})
        assert heard == []
        send(admin, view("Webhook"), "action/", action="disable", rowid=webhook)
        send(admin, view("Webhook"), "action/", action="test", rowid=webhook)
        assert "not a public address" in admin.client.get(view("Webhook")).text
        for model, key in rows.items():
            send(admin, view(model), "delete/", id=key)
    assert heard == [
        ("webhook-changed", "bob"),
        ("delete", "bob"),
        ("token-revoked", "bob"),
        ("webhook-removed", "bob"),
    ]
    assert client.get("/v2/").status_code == 401
    assert alice.get("/v2/alice/hello/tags/list").status_code == 404
    with app.app_context():
        assert registry.events.webhooks() == []
