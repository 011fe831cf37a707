"""The rules of paths on the pages, and the quotas of administrators."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from flask_oci.rules.quota import Quota
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

RULES = "/images/-/rules"
ALICE = "/images/alice/-/rules"


@pytest.fixture(name="admin")
def _admin(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Bob, an administrator."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "bob")
    return Visitor(app, "bob")


def test_retention_of_a_path_is_previewed_on_pages_rest_and_commands(
    app: Flask, alice: RegistryClient
) -> None:
    """The preview leaves out repositories with rules of their own, and longer paths."""
    for name in ("alice/a", "alice/b", "alice/docs/c", "alice/own"):
        for tag in ("pr-1", "main"):
            alice.push_image(name, tag, layer=tag.encode())
    with app.app_context():
        registry.retention.set(["keep *"], repository="alice/own")
        registry.retention.set(["delete main"], path="alice/docs/*")
    visitor, client = Visitor(app, "alice"), RestClient.of(app, "alice")
    wanted = [
        ("alice/a", "pr-1"),
        ("alice/b", "pr-1"),
        ("alice/docs/c", "main"),
    ]
    question = visitor.send(f"{ALICE}/retention", rules="delete pr-*")
    assert "3 tags and images would be deleted" in question.text
    place = "/paths/alice/-/retention"
    tried = client.send("POST", f"{place}/preview", {"rules": ["delete pr-*"]})
    body = tried.get_json()
    deleted = [(e["repository"], e["tag"]) for e in body["items"] if e["deleted"]]
    assert (deleted, body["deleted"], body["complete"]) == (wanted, 3, True)
    assert client.get(f"{place}/preview")["deleted"] == 1
    words = ("retention", "preview", "--path", "alice/*", "--json")
    for rule, count in (((), 1), (("--rule", "delete pr-*"), 3)):
        rows = json.loads(Upkeep(app).run(*words, *rule).stdout)
        assert sum(row["deleted"] for row in rows) == count
    assert Upkeep(app).run("retention", "preview", "--rule", "delete x").exit_code == 2
    visitor.follow_form(question)
    page = visitor.get(visitor.get(ALICE).links["Preview current rules"])
    assert "3 tags and images would be deleted now" in page.text
    assert "alice/b:" in page.text
    assert Visitor(app, "bob").status(f"{ALICE}/retention") == 404
    other = RestClient.of(app, "bob")
    assert other.send("GET", f"{place}/preview").status_code == 403


def test_manager_of_a_path_sets_its_rules(app: Flask, alice: RegistryClient) -> None:
    """The user whose namespace it is sets all rules except the quota."""
    visitor = Visitor(app, "alice")
    assert visitor.get("/images/-/storage").links["Quotas and rules of paths"] == RULES
    assert visitor.get(RULES).links["alice/*"] == ALICE
    below = visitor.get("/images/", under="alice")
    assert below.links["Quotas and rules of this path"] == ALICE
    assert "Quotas" not in visitor.get("/images/", under="bob").text
    page = visitor.get(ALICE)
    assert "Only an administrator can change it." in page.text
    hint = "The site sets the visibility of some repositories itself."
    assert hint not in page.text
    with pytest.MonkeyPatch.context() as patch:
        hooks = app.extensions["oci"].hooks
        patch.setattr(hooks, "visibility_of", lambda repository: None)
        assert hint in visitor.get(ALICE).text
    visitor.send(f"{ALICE}/visibility", visibility="public")
    visitor.send(f"{ALICE}/tags", protected="release-*", immutable="v*")
    question = visitor.send(f"{ALICE}/retention", rules="keep 3 newest\ndelete *")
    current = [a["href"] for a in question.all("a") if "aria-current" in a]
    assert current == ["/images/-/storage"]
    with app.app_context():
        assert registry.retention.get(path="alice/*") == ()
    visitor.follow_form(question)
    with app.app_context():
        assert registry.retention.get(path="alice/*") == ("keep 3 newest", "delete *")
        assert registry.default_visibility.get(path="alice/*") == "public"
        assert registry.tag_protection.get(path="alice/*").immutable == ("v*",)
    page = visitor.get(ALICE)
    assert "keep 3 newest" in page.html
    assert 'value="release-*"' in page.html
    alice.push_image("alice/new", "latest")
    assert Visitor(app).status("/images/alice/new") == 200
    assert visitor.send(f"{ALICE}/retention", rules="delete").status == 422
    assert visitor.send(f"{ALICE}/tags", protected="a b/c").status == 422
    visitor.send(f"{ALICE}/retention", rules="")
    visitor.send(f"{ALICE}/visibility", visibility="")
    visitor.send(f"{ALICE}/tags")
    with app.app_context():
        assert registry.retention.list() == []
        assert registry.default_visibility.list() == []
        assert registry.tag_protection.list() == []


def test_rules_of_a_path_are_hidden_from_other_users(
    app: Flask, admin: Visitor
) -> None:
    """They get the response of a page that does not exist, and change nothing. An
    administrator sees the rules, and sets the quota only."""
    with app.app_context():
        db.session.add(User(username="dave", password="secret", is_active=True))
        db.session.commit()
        registry.retention.set(["delete pr-*"], path="alice/*")
    stranger, forms = Visitor(app, "dave"), ("visibility", "tags", "retention")
    sent = {"visibility": "public", "rules": "delete *", "confirmed": "yes"}
    assert stranger.status(ALICE) == 404
    for form in forms:
        assert stranger.send(f"{ALICE}/{form}", **sent).status == 404
        assert admin.send(f"{ALICE}/{form}", **sent).status == 403
    quota = {"scope": "path", "name": "alice/*", "bytes": "1 GB"}
    assert stranger.send(RULES, **quota).status == 404
    assert Visitor(app, "alice").send(RULES, **quota).status == 404
    assert Visitor(app).status(ALICE) == 403
    assert "delete pr-*" not in Visitor(app, "alice").get(RULES).text
    assert "delete pr-*" in admin.get(RULES).text
    with app.app_context():
        assert registry.retention.get(path="alice/*") == ("delete pr-*",)
        assert registry.quotas.list() == []


def test_administrator_sets_quotas_on_the_page_and_with_rest(
    app: Flask, admin: Visitor, alice: RegistryClient
) -> None:
    """The quota of a path, an owner and a repository; empty limits delete it."""
    alice.push_image("alice/hello", "latest")
    for scope, name in (
        ("path", "alice/*"),
        ("owner", "alice"),
        ("repository", "alice/hello"),
    ):
        page = admin.send(RULES, scope=scope, name=name, bytes="5 GB", images="7")
        assert page.status == 302
    wanted = Quota(bytes=5 * 10**9, images=7)
    with app.app_context():
        quotas = registry.quotas
        assert quotas.get(path="alice/*") == wanted
        assert quotas.get(owner=user_named("alice")) == wanted
        assert quotas.get(repository="alice/hello") == wanted
    assert "all repositories of alice" in admin.get(RULES).text
    page = admin.get(ALICE)
    assert "of 5.0 GB used" in page.text or "of 5 GB used" in page.text
    for wrong in (
        {"scope": "owner", "name": "absent"},
        {"scope": "repository", "name": "alice/absent"},
        {"scope": "path", "name": "../x"},
        {"scope": "path", "name": "alice/*", "bytes": "much"},
        {"scope": "path", "name": "alice/*", "images": "-1"},
    ):
        assert admin.send(RULES, **{"bytes": "1 GB", **wrong}).status == 422
    rest = RestClient.of(app, "bob")
    assert len(rest.items("/quotas?limit=1")) == 3
    rest.done("PUT", "/quotas", {"path": "alice/*", "images": 9})
    rest.done("PUT", "/quotas", {"owner": "alice"})
    admin.send(RULES, scope="repository", name="alice/hello")
    assert rest.items("/quotas") == [
        {
            "repository": None,
            "owner": None,
            "path": "alice/*",
            "bytes": None,
            "images": 9,
        }
    ]
    for body, status in (({"images": 1}, 422), ({"owner": "absent"}, 404)):
        assert rest.send("PUT", "/quotas", body).status_code == status
    other = RestClient(alice)
    assert other.send("GET", "/quotas").status_code == 403
    refused = other.send("PUT", "/quotas", {"path": "alice/*"})
    assert refused.status_code == 403
    assert len(rest.items("/quotas")) == 1
