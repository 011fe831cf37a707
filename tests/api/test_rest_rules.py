"""REST: history, rules, access tokens and events."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.requests import basic
from tests.support.credentials import by_access_token
from tests.support.credentials import log_in
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import statements

APP = "/repositories/alice/app"
NEW = {"actions": ["pull"], "repositories": ["alice/*"]}

DENIED = (403, "DENIED")


@pytest.fixture(name="owner")
def _owner(alice: RegistryClient) -> RestClient:
    """Alice, with a tag that has moved once."""
    alice.push_image("alice/app", "v1")
    alice.push_image("alice/app", "v1", layer=b"another")
    return RestClient(alice)


def token(app: Flask, *actions: str, repositories: t.Sequence[str] = ("*",)) -> t.Any:
    """Return a client for alice with a limited access token."""
    client = by_access_token(app, "alice", actions=actions, repositories=repositories)
    return RestClient(client)


def test_history_lists_moves_newest_first(owner: RestClient) -> None:
    """Each move has its digests and its user; the newest is first."""
    old, new = digest_of(image(b"a layer")), digest_of(image(b"another"))
    owner.client.push_image("alice/app", "v2")
    moves = owner.items(f"{APP}/-/history?limit=2")
    assert [(m["tag"], m["from_digest"], m["to_digest"]) for m in moves] == [
        ("v2", None, old),
        ("v1", old, new),
        ("v1", None, old),
    ]
    assert {m["moved_by"] for m in moves} == {"alice"}
    assert [m["can_be_undone"] for m in moves] == [False, True, False]
    assert owner.items(f"{APP}/-/history?tag=v2") == moves[:1]
    assert owner.items(f"{APP}/-/history?tag=v3") == []


def test_undo_restores_the_previous_digest(owner: RestClient) -> None:
    """The tag points at its previous digest again, also below /v2."""
    move = owner.items(f"{APP}/-/history")[0]["id"]
    tag = owner.done("POST", f"{APP}/-/history/{move}/undo")
    old = digest_of(image(b"a layer"))
    assert (tag["name"], tag["digest"]) == ("v1", old)
    found = owner.client.head("/v2/alice/app/manifests/v1")
    assert found.headers["Docker-Content-Digest"] == old
    owner.done("DELETE", f"{APP}/-/tags/v1")
    gone = owner.items(f"{APP}/-/history")[0]
    assert (gone["to_digest"], gone["can_be_undone"]) == (None, True)
    owner.done("POST", f"{APP}/-/history/{gone['id']}/undo")
    assert owner.client.tags("alice/app") == ["v1"]


def test_undo_of_unknown_move_is_refused(
    owner: RestClient, bob: RegistryClient
) -> None:
    """The first move of a tag, a move of another repository and a missing move cannot
    be undone."""
    owner.client.push_image("alice/other", "v1")
    first = owner.items(f"{APP}/-/history")[-1]["id"]
    other = owner.items(f"{APP.replace('app', 'other')}/-/history")[0]["id"]
    for move in (first, other, 2**63 - 1, 2**63, 10**30, -1, "x", "%00"):
        response = owner.send("POST", f"{APP}/-/history/{move}/undo")
        assert refusal(response) == (404, "MANIFEST_UNKNOWN")
    owner.done("PATCH", APP, {"visibility": "public"})
    move = owner.items(f"{APP}/-/history")[0]["id"]
    refused = RestClient(bob).send("POST", f"{APP}/-/history/{move}/undo")
    assert refusal(refused) == DENIED
    reading = token(bob.app, "pull")
    assert refusal(reading.send("POST", f"{APP}/-/history/{move}/undo")) == DENIED


def test_protected_tags_apply_to_push_and_rest(owner: RestClient) -> None:
    """Patterns of protected tags apply to pushes and to REST."""
    path = f"{APP}/-/protected-tags"
    found = owner.get(path)
    assert found == {"protected": [], "immutable": [], "inherited": []}
    # A client may send back what it got.
    wanted = {**found, "protected": ["stable"], "immutable": ["v*"]}
    assert owner.done("PUT", path, wanted) == wanted
    assert owner.get(path) == wanted
    refused = owner.send("DELETE", f"{APP}/-/tags/v1")
    assert refusal(refused) == DENIED
    move = owner.items(f"{APP}/-/history")[0]["id"]
    assert refusal(owner.send("POST", f"{APP}/-/history/{move}/undo")) == DENIED
    owner.client.push_image("alice/app", "stable")
    pushing = token(owner.client.app, "push", "pull")
    pushed = pushing.client.put_manifest("alice/app", "stable", image(b"another"))
    assert refusal(pushed) == DENIED
    for wrong in ({**wanted, "immutable": ["a b"]}, {**wanted, "protected": ["é"]}):
        assert refusal(owner.send("PUT", path, wrong)) == (422, "UNSUPPORTED")
    assert refusal(owner.send("PUT", path, {"protected": []})) == (400, "UNSUPPORTED")
    assert owner.get(path) == wanted


def test_retention_rules_are_set_shown_and_unset(owner: RestClient) -> None:
    """Rules are set, shown and unset; an invalid rule changes nothing."""
    path = f"{APP}/-/retention"
    empty = owner.get(path)
    assert empty["rules"] == []
    rules = {**empty, "rules": ["keep 1 newest", "delete * older than 30 days"]}
    assert owner.done("PUT", path, rules) == rules
    with owner.client.app.app_context():
        assert list(registry.retention.get(repository="alice/app")) == rules["rules"]
    for wrong in (["destroy *"], ["keep 1 newest"], ["keep v* for ever"]):
        refused = owner.send("PUT", path, {"rules": wrong})
        assert refusal(refused) == (422, "UNSUPPORTED")
    assert owner.get(path) == rules
    assert owner.done("PUT", path, {"rules": []}) == empty
    assert owner.done("PUT", path, {"rules": []}) == empty


def test_retention_preview_deletes_nothing(owner: RestClient) -> None:
    """A preview of current or other rules shows reasons, and deletes nothing."""
    for number in range(4):
        owner.client.push_image("alice/app", f"t{number}")
    path = f"{APP}/-/retention/preview"
    rules = {"rules": ["delete t* older than 1 day"]}
    assert owner.get(path)["deleted"] == 0
    kept = {v["tag"]: v["due_at"] for v in owner.done("POST", path, rules)["items"]}
    due_at = (utcnow() + timedelta(days=1)).isoformat()
    assert kept.pop("v1") is None
    assert {text[:10] for text in kept.values()} == {due_at[:10]}
    with time_machine.travel(utcnow() + timedelta(days=3), tick=False):
        tried = owner.done("POST", f"{path}?limit=3", rules)
        assert (tried["deleted"], len(tried["items"])) == (4, 3)
        assert {v["rule"] for v in tried["items"]} == set(rules["rules"])
        assert all(v["deleted"] and v["reason"] for v in tried["items"])
        rest = owner.done("POST", f"{path}?limit=3&next={tried['next']}", rules)
        tags = [v["tag"] for v in tried["items"] + rest["items"] if v["tag"]]
        assert tags == ["t0", "t1", "t2", "t3", "v1"]
        assert owner.get(path)["deleted"] == 0
        owner.done("PUT", f"{APP}/-/retention", rules)
        assert owner.get(path)["deleted"] == 4
    wrong = owner.send("POST", path, {"rules": ["x"]})
    assert refusal(wrong) == (422, "UNSUPPORTED")
    assert len(owner.client.tags("alice/app")) == 5


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "retention", None),
        ("PUT", "retention", {"rules": ["delete *"]}),
        ("GET", "retention/preview", None),
        ("POST", "retention/preview", {"rules": ["delete *"]}),
        ("GET", "protected-tags", None),
        ("PUT", "protected-tags", {"protected": ["*"], "immutable": []}),
    ],
)
def test_rules_without_manage_permission_are_refused(
    owner: RestClient, bob: RegistryClient, method: str, path: str, body: object
) -> None:
    """The response is 403 if the caller may see the repository, else 404."""
    app, address = bob.app, f"{APP}/-/{path}"
    hidden = RestClient(bob).send(method, address, body)
    assert refusal(hidden) == (404, "NAME_UNKNOWN")
    owner.done("PATCH", APP, {"visibility": "public"})
    assert refusal(RestClient(bob).send(method, address, body)) == DENIED
    anonymous = RestClient(RegistryClient(app)).send(method, address, body)
    assert refusal(anonymous) == (401, "UNAUTHORIZED")
    for limited in (
        token(app, "pull", "push", "delete"),
        RestClient(owner.client.bearer("repository:alice/app:pull,push,delete")),
    ):
        assert refusal(limited.send(method, address, body)) == DENIED
    assert token(app, "manage").send(method, address, body).status_code == 200


def test_token_is_issued_used_and_revoked(owner: RestClient) -> None:
    """The secret of a token is shown once, and works until the token is revoked."""
    app = owner.client.app
    sent = {**NEW, "name": "build", "days": 30}
    response = owner.send("POST", "/tokens", sent)
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    made = response.get_json()
    client = RegistryClient(app, basic("alice", made["secret"]))
    assert client.get("/v2/alice/app/tags/list").status_code == 200
    assert refusal(client.delete("/v2/alice/app/manifests/v1")) == DENIED
    (listed,) = owner.items("/tokens")
    assert (listed["id"], listed["name"]) == (made["id"], "build")
    # MariaDB knows whole seconds only.
    assert listed["expires_at"][:19] == made["expires_at"][:19]
    assert "secret" not in listed
    owner.done("DELETE", f"/tokens/{made['id']}")
    assert client.get("/v2/").status_code == 401
    assert owner.items("/tokens") == []


def test_token_pages_include_refresh_tokens(owner: RestClient) -> None:
    """The pages of the list contain all tokens, including those that docker stores."""
    for number in range(3):
        owner.done("POST", "/tokens", {**NEW, "name": str(number)})
    log_in(owner.client)
    found = owner.items("/tokens?limit=1")
    assert sorted(x["kind"] for x in found) == ["access"] * 3 + ["refresh"]
    assert found == owner.items("/tokens")


@pytest.mark.parametrize(
    "change",
    [
        {"actions": []},
        {"actions": ["fly"]},
        {"repositories": []},
        {"repositories": [""]},
        {"repositories": "*"},
        {"days": 0},
        {"days": 1.5},
        {"user": "bob"},
        {"parent": "x"},
    ],
)
def test_invalid_token_is_not_issued(
    owner: RestClient, change: dict[str, object]
) -> None:
    """An invalid request is refused, and no token is issued."""
    refused = owner.send("POST", "/tokens", {**NEW, **change})
    assert refusal(refused) == (400, "UNSUPPORTED")
    assert owner.items("/tokens") == []


def test_tokens_of_other_users_are_hidden(
    owner: RestClient, bob: RegistryClient
) -> None:
    """A user cannot list or revoke another user's tokens, or find out whether they
    exist."""
    made = owner.done("POST", "/tokens", NEW)
    stranger = RestClient(bob)
    assert stranger.items("/tokens") == []
    for known in (made["id"], "0" * 32, "x%00", "é"):
        refused = stranger.send("DELETE", f"/tokens/{known}")
        assert refusal(refused) == (404, "NAME_UNKNOWN")
    assert len(owner.items("/tokens")) == 1
    anonymous = RestClient(RegistryClient(bob.app))
    for method, path, body in (
        ("GET", "/tokens", None),
        ("POST", "/tokens", NEW),
        ("DELETE", f"/tokens/{made['id']}", None),
    ):
        refused = anonymous.send(method, path, body)
        assert refusal(refused) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("actions", "repositories"),
    [
        (["pull", "push", "delete"], ["*"]),
        (["pull", "push", "delete", "manage"], ["alice/*"]),
    ],
)
def test_limited_token_cannot_manage_tokens(
    owner: RestClient, actions: list[str], repositories: list[str]
) -> None:
    """A limited token or a bearer token cannot issue, list or revoke tokens."""
    made = owner.done("POST", "/tokens", {**NEW, "actions": ["delete"]})
    limited = token(owner.client.app, *actions, repositories=repositories)
    bearer = RestClient(limited.client.bearer("repository:alice/app:pull,push"))
    refreshed = RestClient(owner.client.bearer("registry:catalog:*"))
    for somebody in (limited, bearer, refreshed):
        for method, path, body in (
            ("GET", "/tokens", None),
            ("POST", "/tokens", NEW),
            ("DELETE", f"/tokens/{made['id']}", None),
        ):
            assert refusal(somebody.send(method, path, body)) == DENIED
    assert made["id"] in {found["id"] for found in owner.items("/tokens")}


def test_child_token_is_limited_by_its_parent(owner: RestClient) -> None:
    """A token issued with a token has at most its actions, cannot issue tokens, and
    ends with it."""
    app = owner.client.app
    wanted = {"actions": ["pull", "manage"], "repositories": ["*"]}
    made = owner.done("POST", "/tokens", wanted)
    parent = RestClient(RegistryClient(app, basic("alice", made["secret"])))
    for actions in (["push"], ["delete"], ["pull", "delete"]):
        refused = parent.send("POST", "/tokens", {**NEW, "actions": actions})
        assert refusal(refused) == DENIED
    secret = parent.done("POST", "/tokens", wanted)["secret"]
    child = RestClient(RegistryClient(app, basic("alice", secret)))
    assert len(child.items("/tokens")) == 2
    for body in (wanted, NEW):
        assert refusal(child.send("POST", "/tokens", body)) == DENIED
    assert len(owner.items("/tokens")) == 2
    bearer = child.client.bearer("repository:alice/app:pull")
    assert bearer.tags("alice/app") == ["v1"]
    owner.done("DELETE", f"/tokens/{made['id']}")
    for ended in (parent, child, RestClient(bearer)):
        assert ended.send("GET", "/").status_code == 401
    assert bearer.get("/v2/alice/app/tags/list").status_code == 401


def test_events_are_for_administrators(owner: RestClient, bob: RegistryClient) -> None:
    """Other callers are refused, and limited tokens of administrators as well."""
    assert refusal(owner.send("GET", "/events")) == DENIED
    registry.is_admin(lambda user: user.username == "bob")
    try:
        admin = RestClient(bob)
        assert refusal(owner.send("GET", "/events")) == DENIED
        found = admin.items("/events?limit=2")
        keys = [event["id"] for event in found]
        assert keys == sorted(keys, reverse=True)
        assert found[-1]["kind"] == "repository.created"
        assert {e["repository"] for e in found} == {"alice/app"}
        moved = admin.items("/events?kind=tag.moved&repository=alice/app")
        assert [e["data"]["tag"] for e in moved] == ["v1", "v1"]
        assert moved[0]["data"]["actor"] == "alice"
        assert admin.items("/events?repository=bob/app") == []
        limited = RestClient(by_access_token(bob.app, "bob"))
        assert refusal(limited.send("GET", "/events")) == DENIED
        assert refusal(RestClient(bob.bearer()).send("GET", "/events")) == DENIED
        anonymous = RestClient(RegistryClient(bob.app))
        refused = anonymous.send("GET", "/events")
        assert refusal(refused) == (401, "UNAUTHORIZED")
        for wrong in ("LTE", "MTAwMDAwMDAwMDAwMDAwMDAwMDAwMA", "dHJ1ZQ"):
            refused = admin.send("GET", f"/events?next={wrong}")
            assert refusal(refused) == (400, "UNSUPPORTED")
    finally:
        registry._hooks.is_admin = None


#: The maximum number of statements of each list, with the four of a login by password:
#: two for the user, and two for the limit of failed logins.
LISTS: t.Final = {
    f"{APP}/-/history": 7,
    f"{APP}/-/retention": 8,
    f"{APP}/-/retention/preview": 14,
    f"{APP}/-/protected-tags": 8,
    "/tokens": 5,
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_have_constant_statements(
    app: Flask, owner: RestClient, path: str
) -> None:
    """A list sends as many statements for many entries as for few."""

    def count() -> int:
        with statements(app) as sent:
            owner.get(path)
        return len([s for s in sent if not s.startswith("BEGIN")])

    owner.done("POST", "/tokens", NEW)
    few = count()
    for number in range(12):
        owner.client.push_image("alice/app", f"t{number}")
        owner.done("POST", "/tokens", NEW)
    assert count() == few
    assert few <= LISTS[path]
