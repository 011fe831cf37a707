"""Path rules that users set: they end when a name or an image changes hands."""

from __future__ import annotations

import json
import typing as t

import pytest
from flask import Flask

from flask_oci.catalog import blocks
from flask_oci.catalog import rules
from flask_oci.testing import make_image
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import registry
from tests.support.quotas import message
from tests.support.quotas import post
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

KB = 1000
KINDS: t.Final[dict[str, t.Any]] = {
    "retention": {"rules": ["delete tmp-*"]},
    "protected-tags": {"protected": [], "immutable": ["v*"]},
    "default-visibility": {"visibility": "public"},
}
NONE: t.Final[dict[str, t.Any]] = {
    "retention": {"rules": []},
    "protected-tags": {"protected": [], "immutable": []},
    "default-visibility": {"visibility": None},
}


def set_all(app: Flask, name: str) -> None:
    """Set each kind of rule for the path of a user."""
    client = RestClient.of(app, name)
    for kind, body in KINDS.items():
        client.done("PUT", f"/paths/{name}/-/{kind}", body)


def effects(app: Flask, client: RegistryClient, name: str) -> tuple[t.Any, ...]:
    """Push two tags, and return the visibility, the immutable patterns and the tags
    that retention would delete."""
    for tag in ("v1", "tmp-1"):
        client.push(name, tag, make_image(tag.encode()))
    shown = json.loads(Upkeep(app).run("retention", "preview", name, "--json").stdout)
    deleted = [row["tag"] for row in shown if row["deleted"]]
    with app.app_context():
        found = registry.repositories.find(name)
        parts = app.extensions["oci"]
        return (
            found.visibility,
            parts.catalog.rules.protection(found.key).immutable,
            deleted,
        )


NO_EFFECT: t.Final[tuple[t.Any, ...]] = ("private", (), [])


def test_rules_of_a_renamed_user_do_not_apply_to_a_later_user_of_the_name(
    make_app: t.Callable[..., Flask],
) -> None:
    """The later user neither sees them nor publishes images by them. A quota, which an
    administrator set, stays."""
    app = make_app(None)
    set_all(app, "bob")
    bob, admin = RegistryClient.of(app, "bob"), Administrator(app)
    assert effects(app, bob, "bob/app") == ("public", ("v*",), ["tmp-1"])
    with app.app_context():
        registry.repositories.rename("bob/app", "alice/app")
        registry.quotas.set(path="bob/*", bytes=7)
    admin.change_user("bob", username="robert")
    admin.change_user("carol", username="bob", is_active=True, password="builder")
    later = RestClient.of(app, "bob")
    for kind, body in NONE.items():
        assert later.get(f"/paths/bob/-/{kind}") == body
    assert later.get("/paths/bob/-/quota")["quota"]["bytes"] == 7
    page = Visitor(app, "bob").get("/images/bob/-/rules").html
    assert "tmp-*" not in page
    with app.app_context():
        registry.quotas.unset(path="bob/*")
    client = RegistryClient.of(app, "bob")
    assert effects(app, client, "bob/app") == NO_EFFECT
    listed = json.loads(Upkeep(app).run("retention", "list", "--json").stdout)
    assert [(row["path"], row["owner"]) for row in listed if row["path"]] == [
        ("bob/*", "robert")
    ]
    set_all(app, "bob")
    assert effects(app, client, "bob/more") == ("public", ("v*",), ["tmp-1"])


def test_rules_of_a_user_end_for_a_repository_that_is_given_away(
    make_app: t.Callable[..., Flask],
) -> None:
    """They hold again if the user gets it back. Rules of the operator hold for each
    owner."""
    app = make_app(None)
    set_all(app, "alice")
    alice = RegistryClient.of(app, "alice")
    alice.push("alice/app", "v1", make_image(b"1"))
    parts = app.extensions["oci"]

    def immutable() -> tuple[str, ...]:
        found = registry.repositories.find("alice/app")
        return tuple(parts.catalog.rules.protection(found.key).immutable)

    with app.app_context():
        assert immutable() == ("v*",)
        registry.repositories.transfer("alice/app", user_named("bob"))
        assert immutable() == ()
        registry.repositories.transfer("alice/app", user_named("alice"))
        assert immutable() == ("v*",)
        registry.tag_protection.set(path="alice/*", immutable=["w*"])
        registry.repositories.transfer("alice/app", user_named("bob"))
        assert immutable() == ("w*",)


def test_application_deletes_the_rules_of_an_object_that_is_deleted(app: Flask) -> None:
    """Those of similar names stay."""
    with app.app_context():
        for path in ("website/*", "website/docs/*", "websites/*"):
            registry.default_visibility.set("public", path=path)
        registry.quotas.set(path="website/*", bytes=1)
        assert registry.delete_path_rules("website/*") == 3
        assert registry.delete_path_rules("website/*") == 0
        assert [r.path for r in registry.default_visibility.list()] == ["websites/*"]
        for path in ("*", "website"):
            with pytest.raises(ValueError, match="path"):
                registry.delete_path_rules(path)


def test_numbers_of_path_rules_and_blocks_of_a_user_are_bounded(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules and blocks that exist can still be changed and removed."""
    monkeypatch.setattr(rules, "MAX_PATH_RULES", 3)
    monkeypatch.setattr(blocks, "MAX_BLOCKS", 2)
    set_all(app, "alice")
    client = RestClient.of(app, "alice")
    for kind, body in KINDS.items():
        refused = client.send("PUT", f"/paths/alice/docs/-/{kind}", body)
        assert (refused.status_code, "maximum" in refused.text) == (422, True)
        client.done("PUT", f"/paths/alice/-/{kind}", body)
    visitor = Visitor(app, "alice")
    for form, fields in (
        ("visibility", {"visibility": "public"}),
        ("tags", {"immutable": "v*"}),
        ("retention", {"rules": "delete x", "confirmed": "yes"}),
    ):
        page = visitor.send(f"/images/alice/docs/-/rules/{form}", **fields)
        assert (page.status, "maximum" in page.text) == (422, True)
    set_all(app, "bob")

    images = [alice.push(f"alice/{n}", "1", make_image(bytes([n]))) for n in range(3)]

    def block(number: int, reason: str = "old") -> int:
        address = f"/repositories/alice/{number}/-/blocks/{images[number].digest}"
        return client.send("PUT", address, {"reason": reason}).status_code

    assert [block(0), block(1), block(2), block(0, "new")] == [200, 200, 422, 200]
    digest = images[2].digest
    done = visitor.send("/images/alice/2/-/block", digest=digest, reason="x")
    assert "too many blocks" in visitor.get(str(done.location)).text


def test_refusal_by_a_shared_quota_tells_its_usage_only_to_its_managers(
    app: Flask, make_app: t.Callable[..., Flask]
) -> None:
    """The usage of a path or an owner reveals the size of hidden repositories."""
    app = make_app(lambda user, action, repository: user is not None)
    alice, bob = RegistryClient.of(app, "alice"), RegistryClient.of(app, "bob")
    alice.push_image("alice/app", "1", layer=bytes(8 * KB))
    with app.app_context():
        registry.quotas.set(path="alice/*", bytes=9 * KB)

    def said(client: RegistryClient) -> str:
        return message(post(client, b"b" * 6 * KB, "alice/other"))

    assert "alice/* uses" in said(alice)
    secretive = said(bob)
    assert "The quota of alice/* has no room for this, which needs 6.0 kB." in secretive
    assert "uses" not in secretive
    with app.app_context():
        registry.quotas.unset(path="alice/*")
        registry.quotas.set(owner=user_named("alice"), bytes=9 * KB)
    assert "alice uses" in said(alice)
    assert "The quota of alice has no room" in said(bob)
    nearly_full = bob.get("/v2/alice/app/manifests/1")
    assert "Warning" not in nearly_full.headers
