"""REST: robots, and robots as callers of REST."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.credentials import by_access_token
from tests.support.host import Administrator
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.robots import as_robot

DENIED = (403, "DENIED")
HIDDEN = (404, "NAME_UNKNOWN")


@pytest.fixture(name="owner")
def _owner(alice: RegistryClient) -> RestClient:
    """Alice, with an image."""
    alice.push("alice/app", "1")
    return RestClient(alice)


def robot(owner: RestClient, **values: t.Any) -> t.Any:
    """Create a robot of alice's namespace."""
    return owner.done("POST", "/robots", {"name": "ci", "path": "alice", **values})


def test_owner_creates_changes_rotates_and_deletes_a_robot(
    app: Flask, owner: RestClient
) -> None:
    created = robot(owner, description="builds", actions=["pull"], days=3)
    client = RegistryClient(app, basic("alice+ci", created["secret"]))
    assert client.get("/v2/alice/app/manifests/1").status_code == 200
    found = owner.get(f"/robots/{created['robot']['id']}")
    assert created["secret"] not in repr(found)
    assert (found["login"], found["created_by"]) == ("alice+ci", "alice")
    assert (found["path"], found["obstacle"]) == ("alice/*", None)
    path = f"/robots/{found['id']}"
    assert owner.items("/robots?path=alice") == [found]
    change = {"actions": ["push"], "description": "", "days": None}
    changed = owner.done("PATCH", path, change)
    assert (changed["actions"], changed["expires_at"]) == (["push"], None)
    client.push("alice/app", "2")
    new = owner.done("POST", f"{path}/secrets", {"overlap_hours": 1})
    assert client.get("/v2/").status_code == 200
    (old,) = (s["id"] for s in owner.get(path)["secrets"] if s["id"] != new["id"])
    owner.done("DELETE", f"{path}/secrets/{old}")
    assert client.get("/v2/").status_code == 401
    client = RegistryClient(app, basic("alice+ci", new["secret"]))
    assert client.get("/v2/").status_code == 200
    assert owner.done("PATCH", path, {"enabled": False})["enabled"] is False
    assert client.get("/v2/").status_code == 401
    owner.done("PATCH", path, {"enabled": True})
    assert client.get("/v2/").status_code == 200
    owner.done("DELETE", path)
    assert client.get("/v2/").status_code == 401
    assert refusal(owner.send("GET", path)) == HIDDEN
    for wrong in (
        {"name": "CI", "path": "alice"},
        {"name": "ci"},
        {"name": "ci", "path": "alice", "repository": "alice/app"},
        {"name": "ci", "path": "alice", "repositories": ["bob/*"]},
        {"name": "ci", "repository": "alice/app", "repositories": ["*"]},
    ):
        assert owner.send("POST", "/robots", wrong).status_code == 422


def test_robots_of_others_are_hidden(
    app: Flask, owner: RestClient, bob: RegistryClient, admin: Administrator
) -> None:
    """The responses do not depend on whether the robot exists."""
    other = RestClient(bob)
    by_path = robot(owner)["robot"]["id"]
    body = {"name": "one", "repository": "alice/app"}
    of_repository = owner.done("POST", "/robots", body)["robot"]["id"]
    assert len(owner.items("/robots?repository=alice/app")) == 1
    for robot_id in (by_path, of_repository, "0" * 32, "x"):
        for method, path, sent in (
            ("GET", "", None),
            ("PATCH", "", {"enabled": False}),
            ("DELETE", "", None),
            ("POST", "/secrets", {}),
            ("DELETE", f"/secrets/{'0' * 32}", None),
        ):
            answer = other.send(method, f"/robots/{robot_id}{path}", sent)
            assert refusal(answer) == HIDDEN
    assert refusal(other.send("GET", "/robots?path=alice")) == DENIED
    assert refusal(other.send("GET", "/robots")) == DENIED
    assert refusal(other.send("GET", "/robots?repository=alice/app")) == HIDDEN
    mine = {"name": "ci", "path": "alice"}
    assert refusal(other.send("POST", "/robots", mine)) == DENIED
    admin.publish("alice/app")
    mine = {"name": "ci", "repository": "alice/app"}
    assert refusal(other.send("POST", "/robots", mine)) == DENIED


def test_access_token_creates_no_wider_robot(app: Flask, owner: RestClient) -> None:
    """Not with more actions, not for longer, and not without a limit to all."""

    def client(*actions: str, **limits: t.Any) -> RestClient:
        return RestClient(by_access_token(app, "alice", actions=actions, **limits))

    wanted = {"name": "a", "path": "alice", "actions": ["push"]}
    narrow = client("manage", "pull")
    assert refusal(narrow.send("POST", "/robots", wanted)) == DENIED
    limited = client("manage", "pull", "push", repositories=["alice/*"])
    assert refusal(limited.send("POST", "/robots", wanted)) == DENIED
    wide = client("manage", "pull", "push")
    wide.done("POST", "/robots", wanted)
    (found,) = owner.items("/robots?path=alice")
    assert refusal(narrow.send("POST", f"/robots/{found['id']}/secrets", {})) == DENIED


def test_robot_calls_rest_within_its_limit(app: Flask, owner: RestClient) -> None:
    """It reads and deletes tags, and manages nothing."""
    made = as_robot(app, actions=["pull", "push", "delete"])
    caller = RestClient(made)
    welcome = caller.get("/")
    assert (welcome["user"], welcome["repositories"]) == (
        "alice+release",
        ["alice", "alice/*"],
    )
    assert [r["name"] for r in caller.items("/repositories")] == ["alice/app"]
    base = "/repositories/alice/app"
    assert [tag["name"] for tag in caller.items(f"{base}/-/tags")] == ["1"]
    for method, path, body in (
        ("PATCH", base, {"visibility": "public"}),
        ("DELETE", base, None),
        ("PUT", f"{base}/-/retention", {"rules": []}),
        ("GET", "/tokens", None),
        ("POST", "/tokens", {"actions": ["pull"], "repositories": ["*"]}),
        ("GET", "/robots?path=alice", None),
        ("POST", "/robots", {"name": "ci", "path": "alice"}),
        ("GET", "/usage", None),
        ("GET", "/events", None),
        ("GET", "/paths/alice/-/retention", None),
        ("GET", "/webhooks", None),
    ):
        assert refusal(caller.send(method, path, body)) == DENIED, path
    caller.done("DELETE", f"{base}/-/tags/1")
    assert caller.items(f"{base}/-/tags") == []
    assert owner.items("/repositories")
