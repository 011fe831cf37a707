"""Rules for a path: quotas, retention, protection and visibility of ``website/*``."""

from __future__ import annotations

import json
import typing as t

import pytest
from flask import Flask

from flask_oci import RepositoryInfo
from flask_oci.api.blueprint import OPERATIONS
from flask_oci.rules.quota import QuotaExceeded
from flask_oci.testing.manifests import image
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import DATABASE_URL
from tests.support.host import db
from tests.support.host import registry
from tests.support.quotas import message
from tests.support.quotas import post
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.statements import collected
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

KB = 1000
APP = "website/app"


def allow_all(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
    """A policy by which each user may do everything."""
    return user is not None


@pytest.fixture(name="app")
def _app(make_app: t.Callable[..., Flask]) -> Flask:
    return make_app(allow_all)


@pytest.fixture(name="upkeep")
def _upkeep(app: Flask) -> Upkeep:
    return Upkeep(app)


def run(upkeep: Upkeep, *arguments: str) -> str:
    """Run a command that has to succeed, and return its output."""
    result = upkeep.run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_quota_of_a_path_counts_repositories_of_all_owners_but_not_for_them(
    alice: RegistryClient, bob: RegistryClient, upkeep: Upkeep
) -> None:
    """The user who pushed first does not pay for the namespace."""
    run(upkeep, "quota", "set", "--path", "website/*", "--bytes", "10kB")
    run(upkeep, "quota", "set", "--owner", "alice", "--bytes", "5kB")
    alice.push_image(APP, "1", layer=bytes(6 * KB))
    assert "The quota of website/*" in message(post(bob, b"b" * 6 * KB, "website/b"))
    # A name that only begins alike is not in the path.
    assert post(bob, b"b" * 6 * KB, "website-b/app").status_code == 201
    assert "Size: 0 B of 5.0 kB" in run(upkeep, "quota", "show", "--owner", "alice")
    shown = run(upkeep, "quota", "show", "--path", "website/*")
    assert shown.startswith("Size: 6.")
    assert "alice uses" in message(post(alice, b"a" * 6 * KB, "alice/app"))


def test_longest_path_with_a_quota_counts_a_repository(
    alice: RegistryClient, upkeep: Upkeep
) -> None:
    """The shorter path no longer counts the repositories of the longer one."""
    run(upkeep, "quota", "set", "--path", "website/*", "--bytes", "10kB")
    run(upkeep, "quota", "set", "--path", "website/big/*", "--bytes", "50kB")
    assert post(alice, b"1" * 40 * KB, "website/big/app").status_code == 201
    assert "of website/big/*" in message(post(alice, b"2" * 11 * KB, "website/big/b"))
    assert post(alice, b"3" * 9 * KB, APP).status_code == 201
    assert "The quota of website/*" in message(post(alice, b"4" * 9 * KB, APP))


def test_quota_of_a_path_holds_for_renames_and_transfers(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """A repository cannot be moved into a path, or out of it, past a quota."""
    run(upkeep, "quota", "set", "--path", "website/*", "--bytes", "10kB")
    alice.push_image("alice/app", "1", layer=bytes(20 * KB))
    alice.push_image(APP, "1", layer=bytes(3 * KB))
    new = {"name": "website/other"}
    answer = RestClient.of(app, "alice").send("PATCH", "/repositories/alice/app", new)
    assert answer.status_code == 422
    page = Visitor(app, "alice").send("/images/alice/app/-/settings/name", **new)
    assert "exceeds the quota of website/*" in page.text
    with app.app_context():
        registry.quotas.set(owner=user_named("bob"), bytes=KB)
        change = registry.repositories.change
        with pytest.raises(QuotaExceeded):
            change("alice/app", new_name="website/other", within_quota=True)
        # The path counts it before and after, so its owner may change.
        change(APP, owner=user_named("bob"), within_quota=True)
        with pytest.raises(QuotaExceeded):
            change(APP, new_name="bob/app", within_quota=True)


def test_retention_rules_of_the_longest_path_apply_and_are_named(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """They come after those of the repository, and before those of its owner."""
    for tag in ("pr-1", "old", "main"):
        for name in (APP, "website/docs/app"):
            alice.push_image(name, tag, layer=tag.encode())
    run(upkeep, "retention", "set", "--owner", "alice", "delete main")
    run(upkeep, "retention", "set", "--path", "website/*", "delete pr-*")
    run(upkeep, "retention", "set", "--path", "website/docs/*", "delete old")

    def deleted(name: str) -> list[tuple[str, str, str | None]]:
        rows = json.loads(run(upkeep, "retention", "preview", name, "--json"))
        return [(r["tag"], r["rule"], r["path"]) for r in rows if r["deleted"]]

    assert deleted(APP) == [("pr-1", "delete pr-*", "website/*")]
    assert deleted("website/docs/app") == [("old", "delete old", "website/docs/*")]
    assert "delete old of website/docs/*" in run(
        upkeep, "retention", "preview", "website/docs/app"
    )
    run(upkeep, "retention", "set", "--repository", APP, "delete old")
    assert deleted(APP) == [("old", "delete old", None)]
    run(upkeep, "retention", "unset", "--path", "website/docs/*")
    assert deleted("website/docs/app") == [("pr-1", "delete pr-*", "website/*")]


def test_protection_of_the_longest_path_applies_and_is_named(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """It applies in addition to that of the repository."""
    run(upkeep, "protect", "set", "--path", "website/*", "--immutable", "v*")
    run(upkeep, "protect", "set", "--path", "website/docs/*", "--immutable", "w*")
    for name in (APP, "website/docs/app"):
        for tag in ("v1", "w1"):
            alice.push_image(name, tag, layer=tag.encode())

    def moved(name: str, tag: str) -> str:
        """Move a tag, and return the reason of a refusal."""
        content = image(f"other of {tag}".encode())
        alice.push_image(name, "other", layer=f"other of {tag}".encode())
        answer = alice.put_manifest(name, tag, content)
        return "" if answer.status_code == 201 else message(answer)

    assert "(by 'v*' of website/*)" in moved(APP, "v1")
    assert moved(APP, "w1") == ""
    assert "(by 'w*' of website/docs/*)" in moved("website/docs/app", "w1")
    assert moved("website/docs/app", "v1") == ""


def test_new_repositories_get_the_visibility_of_the_longest_path(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """Others are private, and existing ones keep theirs."""
    alice.push_image("website/before", "1")
    run(upkeep, "default-visibility", "set", "website/*", "public")
    run(upkeep, "default-visibility", "set", "website/docs/*", "internal")
    names = (APP, "website/docs/app", "websites/app", "website/before")
    for name in names:
        alice.push_image(name, "1")
    with app.app_context():
        found = [registry.repositories.find(name).visibility for name in names]
    assert found == ["public", "internal", "private", "private"]
    run(upkeep, "default-visibility", "unset", "website/*")
    alice.push_image("website/after", "1")
    with app.app_context():
        assert registry.repositories.find("website/after").visibility == "private"


KINDS: t.Final[dict[str, t.Any]] = {
    "retention": {"rules": ["delete pr-*"]},
    "protected-tags": {"protected": ["v*"], "immutable": []},
    "default-visibility": {"visibility": "internal"},
    "policy": {"rules": ["require signature by ci"]},
}
QUOTA: t.Final = {"bytes": 1000, "images": None}


def statuses(app: Flask, name: str, path: str) -> set[int]:
    """Return the statuses of a user who reads and sets the rules of a path."""
    client = RestClient.of(app, name)
    found = {client.send("GET", f"/paths/{path}/-/quota").status_code}
    for kind, body in KINDS.items():
        address = f"/paths/{path}/-/{kind}"
        found |= {client.send("GET", address).status_code}
        found |= {client.send("PUT", address, body).status_code}
    return found


def test_only_users_who_manage_a_path_read_and_set_its_rules(
    app: Flask, anonymous: RegistryClient
) -> None:
    """By default, a user manages the paths that begin with the user's name."""
    rules = [o.rule for o in OPERATIONS if o.rule.startswith("/paths/")]
    # The tests of policies cover signers.
    others = {"quota", "preview", "signers", "<signer>"}
    assert {rule.rpartition("/")[2] for rule in rules} == {*KINDS, *others}
    assert statuses(app, "alice", "alice") == {200}
    assert statuses(app, "alice", "alice/docs") == {200}
    for path in ("alice", "website"):
        assert statuses(app, "bob", path) == {403}
    assert RestClient(anonymous).send("GET", "/paths/alice/-/quota").status_code == 401
    alice = RestClient.of(app, "alice")
    for kind, body in KINDS.items():
        assert alice.get(f"/paths/alice/-/{kind}") == body
    # Users must not raise their own quota.
    assert alice.send("PUT", "/paths/alice/-/quota", QUOTA).status_code == 403


def test_user_does_not_manage_a_path_with_images_of_another_owner(
    make_app: t.Callable[..., Flask],
) -> None:
    """Nor does a user who takes the name of a deleted user."""
    app = make_app(None)
    admin = Administrator(app)
    alice, bob = RegistryClient.of(app, "alice"), RegistryClient.of(app, "bob")
    alice.push_image("alice/docs/app", "1")
    alice.push_image("alice/mine/app", "1")
    assert statuses(app, "alice", "alice") == {200}
    with app.app_context():
        registry.repositories.transfer("alice/docs/app", user_named("bob"))
    for path in ("alice", "alice/docs", "alice/docs/app"):
        assert statuses(app, "alice", path) == {403}
        assert Visitor(app, "alice").status(f"/images/{path}/-/rules") == 404
    assert statuses(app, "alice", "alice/mine") == {200}

    bob.push_image("bob/app", "1")
    assert statuses(app, "bob", "bob") == {200}
    admin.delete_user("bob")
    with app.app_context():
        assert registry.default_visibility.get(path="bob/*") is None
        assert registry.default_visibility.get(path="alice/*") == "internal"
    admin.change_user("carol", username="bob", is_active=True)
    with app.app_context():
        policy = app.extensions["oci"].policy
        assert not policy.manages_path(user_named("bob"), "bob")
        assert policy.manages_path(user_named("bob"), "bob/new")
    cached = make_app(None, OCI_UPSTREAMS={"bob": "docker.io"})
    with cached.app_context():
        policy = cached.extensions["oci"].policy
        assert not policy.manages_path(user_named("bob"), "bob/new")


def test_application_says_who_manages_a_path_at_each_request(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change takes effect at the next request, and only ``True`` means yes."""
    hooks = app.extensions["oci"].hooks
    # Both are set back after the test.
    monkeypatch.setattr(hooks, "manages_namespace", None)
    monkeypatch.setattr(hooks, "is_admin", None)
    managers = {"website": "bob"}
    registry.manages_namespace(lambda user, path: managers.get(path) == user.username)
    assert statuses(app, "bob", "website") == {200}
    assert statuses(app, "alice", "alice") == {403}
    assert statuses(app, "bob", "website/docs") == {403}
    managers.clear()
    assert statuses(app, "bob", "website") == {403}
    registry.manages_namespace(lambda user, path: user)
    assert statuses(app, "bob", "website") == {403}

    registry.is_admin(lambda user: user.username == "alice")
    alice = RestClient.of(app, "alice")
    alice.done("PUT", "/paths/website/-/quota", QUOTA)
    assert alice.get("/paths/website/-/quota")["quota"] == QUOTA
    assert statuses(app, "alice", "website") == {200, 403}


@pytest.mark.parametrize("path", ["*", "website", "Web/*", "/*", "website/*/x", ""])
def test_invalid_path_has_no_rules(app: Flask, path: str) -> None:
    """Only a name with ``/*`` is a path; the configuration is for all repositories."""
    with app.app_context(), pytest.raises(ValueError, match=r"path"):
        registry.quotas.set(path=path, bytes=1)


@pytest.mark.skipif(bool(DATABASE_URL), reason="reads the plan of SQLite")
def test_rules_of_other_namespaces_are_not_read(
    app: Flask, alice: RegistryClient
) -> None:
    """Users set as many as they like, and each push and move of a tag asks for the
    rules."""
    alice.push_image(APP, "1")
    with app.app_context():
        key = registry.repositories.find(APP).key
        with collected(db.engine) as sent:
            app.extensions["oci"].catalog.rules.holding("protect", key)
            app.extensions["oci"].catalog.repositories.lock(key)
        for statement in sent[-2:]:
            plan = db.session.connection().exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")
            )
            steps = [row[-1] for row in plan]
            assert [step for step in steps if "ix_oci_rule_path" in step]
            assert not [step for step in steps if step.startswith("SCAN oci_rule")]
