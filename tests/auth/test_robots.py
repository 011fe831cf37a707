"""Robots: their login, their reach, their secrets and their end."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.credentials import log_in
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import PASSWORDS
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.robots import as_robot
from tests.support.robots import make_robot
from tests.support.robots import robots_decided_by
from tests.support.visitor import Visitor

MakeApp = t.Callable[..., Flask]


def pull(client: RegistryClient, name: str = "alice/app", tag: str = "1") -> int:
    """Return the status of a pull."""
    return client.get(f"/v2/{name}/manifests/{tag}").status_code


def test_robot_pushes_and_pulls_within_its_path_only(
    app: Flask, alice: RegistryClient, bob: RegistryClient, admin: Administrator
) -> None:
    """Public and internal repositories of others are outside, and so are mounts of
    their layers. A bearer token reaches no further."""
    image = bob.push("bob/open", "1")
    bob.push("bob/team", "1")
    admin.publish("bob/open", "public")
    admin.publish("bob/team", "internal")
    robot = as_robot(app, actions=("pull", "push"))
    robot.push("alice/new", "1")
    scopes = [f"repository:{n}:pull,push" for n in ("alice/new", "bob/open")]
    for client in (robot, robot.bearer(*scopes)):
        assert pull(client, "alice/new") == 200
        assert pull(client, "bob/open") in (401, 404)
        assert pull(client, "bob/team") in (401, 404)
        started = client.post("/v2/bob/x/blobs/uploads/")
        assert started.status_code in (401, 403)
    digest = next(iter(image.blobs))
    query = {"mount": digest, "from": "bob/open"}
    mounted = robot.post("/v2/alice/new/blobs/uploads/", query=query)
    assert mounted.status_code == 202
    assert robot.get("/v2/_catalog").get_json() == {"repositories": ["alice/new"]}
    deleted = robot.delete("/v2/alice/new/manifests/1")
    assert refusal(deleted) == (403, "DENIED")
    assert pull(alice, "alice/new") == 200
    owner = alice.get("/api/oci/v1/repositories/alice/new").get_json()["owner"]
    assert owner == "alice"


def test_robot_limit_excludes_other_patterns_and_actions(
    app: Flask, alice: RegistryClient
) -> None:
    alice.push("alice/app", "1")
    alice.push("alice/app-two", "1")
    reader = as_robot(app, repositories=["alice/app"], actions=["pull"])
    assert pull(reader) == 200
    assert pull(reader, "alice/app-two") == 404
    assert reader.post("/v2/alice/app/blobs/uploads/").status_code == 403
    for path, patterns in (
        ("alice", ["bob/*"]),
        ("alice", ["*"]),
        ("alice", ["alice*"]),
        ("alice", ["[a]lice/*"]),
    ):
        with pytest.raises(ValueError, match="outside"):
            make_robot(app, path, "wide", repositories=patterns)
    for name in ("", "Release", "a+b", "a/b", "a:b", "a b", "x" * 65, "a--b"):
        with pytest.raises(ValueError, match="Invalid robot name"):
            make_robot(app, "alice", name)
    for path in ("", "*", "Alice", "alice/", "/alice"):
        with pytest.raises(ValueError, match="Invalid path"):
            make_robot(app, path)
    with pytest.raises(ValueError, match="Invalid 'actions'"):
        make_robot(app, actions=["manage"])
    with pytest.raises(ValueError, match="already"):
        make_robot(app)


def test_number_of_robots_of_a_namespace_is_bounded(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_oci.auth.robots.MAX_IN_NAMESPACE", 2)
    make_robot(app, "alice/one")
    make_robot(app, "alice/two")
    with pytest.raises(ValueError, match="'alice' have 2 robots"):
        make_robot(app, "alice/three")
    make_robot(app, "bob")


def test_robot_of_repository_reaches_that_repository_only(
    app: Flask, alice: RegistryClient
) -> None:
    """It follows the repository when the repository is renamed, and ends with it."""
    alice.push("alice/app", "1")
    robot = as_robot(app, None, repository="alice/app", actions=["pull", "push"])
    robot.push("alice/app", "2")
    assert robot.post("/v2/alice/app/sub/blobs/uploads/").status_code == 403
    with app.app_context():
        registry.repositories.rename("alice/app", "alice/tool")
    assert pull(robot, "alice/tool") == 200
    alice.push("alice/app", "1")
    assert pull(robot, "alice/app") == 404
    with app.app_context():
        registry.repositories.delete("alice/tool")
        assert registry.robots.find("alice/app+release") is None
    assert robot.get("/v2/").status_code == 401


def test_robot_secret_is_hashed_and_bound_to_its_login(
    app: Flask, alice: RegistryClient
) -> None:
    """A user whose name is the login name of a robot is another caller."""
    robot, secret = make_robot(app)
    assert (robot.login, secret[:8]) == ("alice+release", "oci_rob_")
    with app.app_context():
        rows = db.session.execute(sa.select(registry.models.Credential.__table__)).all()
        assert secret not in repr(rows)
        password = {"password": "impostor", "is_active": True}
        db.session.add(User(username="alice+release", **password))
        db.session.commit()
    alice.push("alice/app", "1")
    impostor = RegistryClient(app, basic("alice+release", "impostor"))
    assert impostor.get("/v2/").status_code == 200
    assert pull(impostor) == 404
    genuine = RegistryClient(app, basic("alice+release", secret))
    assert pull(genuine) == 200
    assert impostor.get("/v2/_catalog").get_json() == {"repositories": []}
    for login in ("alice", "bob", "release", "alice+other", ""):
        client = RegistryClient(app, basic(login, secret))
        assert client.get("/v2/").status_code == 401
    location = genuine.start_upload("alice/app")
    for other in (alice, impostor, as_robot(app, name="other")):
        assert other.get(location).status_code in (403, 404)
    assert genuine.get(location).status_code == 204


def test_robot_ends_at_the_next_request(app: Flask, alice: RegistryClient) -> None:
    """Disabled, expired, deleted and with a revoked secret, with each kind of
    credential."""
    alice.push("alice/app", "1")
    robot, secret = make_robot(app, expires=timedelta(days=2))
    client = RegistryClient(app, basic(robot.login, secret))
    bearer = client.bearer("repository:alice/app:pull,push")
    clients = (client, bearer)
    location = bearer.start_upload("alice/app")
    with app.app_context():
        registry.robots.disable(robot, by=user_named("alice"))
    for each in clients:
        assert pull(each) == 401
        assert each.patch(location, b"x").status_code == 401
    with app.app_context():
        assert registry.robots.enable(robot) is False
    assert [pull(each) for each in clients] == [200, 200]
    with app.app_context():
        new = registry.robots.rotate(robot, overlap=timedelta(hours=1))
        assert len(registry.robots.secrets_of(robot)) == 2
    assert [pull(each) for each in clients] == [200, 200]
    with time_machine.travel(utcnow() + timedelta(hours=2)):
        assert pull(client) == 401
        client = RegistryClient(app, basic(robot.login, new.secret))
        assert pull(client) == 200
    bearer = client.bearer("repository:alice/app:pull,push")
    with time_machine.travel(utcnow() + timedelta(days=3)):
        assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED")
        assert b"has expired" in client.get("/v2/").data
    with app.app_context():
        registry.robots.rotate(robot)
    assert [pull(client), pull(bearer)] == [401, 401]
    last = as_robot(app, name="last")
    bearer = last.bearer("repository:alice/app:pull")
    with app.app_context():
        found = registry.robots.find("alice+last")
        assert found is not None
        assert found.last_used_at is not None
        assert registry.robots.delete(found)
        assert registry.robots.delete_below("alice") == 1
    assert [pull(last), pull(bearer)] == [401, 401]


def test_robot_survives_its_creator_and_not_its_owner(
    app: Flask, alice: RegistryClient, bob: RegistryClient, admin: Administrator
) -> None:
    """The robot of alice's namespace was created by bob, an administrator. The tokens
    of its creator do not matter. The user who takes the name takes the robot over, and
    its secrets end."""
    image = alice.push("alice/app", "1")
    with app.app_context():
        created = registry.robots.create("ci", path="alice", by=user_named("bob"))
    assert created.secret is not None
    robot = RegistryClient(app, basic("alice+ci", created.secret.secret))
    with app.app_context():
        registry.access_tokens.revoke_all(user_named("bob"))
        assert registry.access_tokens.list(None) == []
        registry.access_tokens.revoke_all(user_named("alice"))
    admin.delete_user("bob")
    assert pull(robot) == 200
    admin.change_user("alice", is_active=False)
    assert pull(robot) == 401
    admin.change_user("alice", is_active=True)
    assert pull(robot) == 200
    admin.delete_user("alice")
    assert pull(robot) == 401
    with app.app_context():
        db.session.add(User(username="alice", password="new", is_active=True))
        db.session.commit()
        found = registry.robots.find("alice+ci")
        assert found is not None
        assert found.created_by == "bob"
        assert registry.robots.enable(found, by=user_named("alice")) is True
        secret = registry.robots.rotate(found).secret
    assert robot.get("/v2/").status_code == 401
    robot = RegistryClient(app, basic("alice+ci", secret))
    robot.push("alice/other", "1", image)
    # The images of the former alice belong to no user.
    assert pull(robot) == 404


def test_robot_loses_repository_that_is_given_away(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    alice.push("alice/app", "1")
    alice.push("alice/kept", "1")
    by_path = as_robot(app)
    own = as_robot(app, None, repository="alice/app")
    with app.app_context():
        registry.repositories.transfer("alice/app", user_named("bob"))
    for robot in (by_path, own):
        assert pull(robot) == 404
        assert robot.post("/v2/alice/app/blobs/uploads/").status_code == 403
    assert pull(by_path, "alice/kept") == 200
    assert by_path.get("/v2/_catalog").get_json() == {"repositories": ["alice/kept"]}
    assert own.get("/v2/_catalog").get_json() == {"repositories": []}


def test_owner_of_a_while_gets_no_secret_for_a_robot_of_the_former_owner(
    app: Flask, bob: RegistryClient, admin: Administrator
) -> None:
    """Bob has the name of alice for a while. He has to take the robot over before he
    can rotate its secret, and then it is not alice's any more."""
    robot, _ = make_robot(app)
    admin.change_user("alice", username="alicia")
    admin.change_user("bob", username="alice")
    rest = RestClient(RegistryClient(app, basic("alice", PASSWORDS["bob"])))
    path = f"/robots/{robot.id}"
    assert rest.send("POST", f"{path}/secrets", {}).status_code == 422
    assert rest.send("PATCH", path, {"actions": ["push"]}).status_code == 422
    page = Visitor(app, "alice").send(
        f"/images/-/robots/{robot.id}/secret", overlap="0"
    )
    assert page.status == 422
    with app.app_context(), pytest.raises(ValueError, match="Enable it first"):
        registry.robots.rotate(robot)
    rest.done("PATCH", path, {"enabled": True, "actions": ["push"]})
    rest.done("POST", f"{path}/secrets", {})


def test_robot_of_namespace_without_user_ends_when_a_user_takes_the_name(
    app: Flask,
) -> None:
    robot = as_robot(app, "website/team", "ci")
    robot.push("website/team/app", "1")
    assert pull(robot, "website/team/app") == 200
    with app.app_context():
        info = registry.repositories.find("website/team/app")
        assert info.owner_id is None
        db.session.add(User(username="website", password="x", is_active=True))
        db.session.commit()
    refused = robot.get("/v2/website/team/app/manifests/1")
    assert refused.status_code == 401
    assert b"is suspended" in refused.data
    website = RegistryClient(app, basic("website", "x"))
    assert pull(website, "website/team/app") == 404


def test_robot_needs_function_of_host_with_its_own_policy(make_app: MakeApp) -> None:
    """The function for ``authorize`` is never called with a robot, and the function
    for robots cannot widen a robot's reach."""
    asked: list[t.Any] = []

    def authorize(user: t.Any, action: str, repository: t.Any) -> bool:
        asked.append(user)
        return user is None or bool(user.id)

    app = make_app(authorize)
    alice = RegistryClient.of(app, "alice")
    alice.push("alice/app", "1")
    alice.push("bob/app", "1")
    robot = as_robot(app)
    with robots_decided_by(None):
        assert pull(robot) == 401
        assert b"authorize_robot" in robot.get("/v2/").data

    def authorize_robot(robot: t.Any, action: str, repository: t.Any) -> bool:
        return bool(repository.name != "alice/hidden")

    with robots_decided_by(authorize_robot):
        robot.push("alice/new", "1")
        assert pull(robot) == 200
        assert pull(robot, "bob/app") == 404
        assert robot.post("/v2/alice/hidden/blobs/uploads/").status_code == 403
        listed = robot.get("/v2/_catalog").get_json()["repositories"]
        assert listed == ["alice/app", "alice/new"]
    assert {type(user) for user in asked} <= {User, type(None)}


@pytest.mark.options(oci_events=["*"])
def test_robot_is_recorded_where_a_user_would_be(
    app: Flask, alice: RegistryClient
) -> None:
    robot = as_robot(app)
    robot.push("alice/app", "1")
    base = "/api/oci/v1/repositories/alice/app"
    (tag,) = alice.get(f"{base}/-/tags").get_json()["items"]
    assert tag["pushed_by"] == "alice+release (robot)"
    (move,) = alice.get(f"{base}/-/history").get_json()["items"]
    assert move["moved_by"] == "alice+release (robot)"
    with app.app_context():
        events = registry.events.latest(20)
        pushed = next(e for e in events if e.kind == "manifest.pushed")
    assert (pushed.data["actor"], pushed.data["robot"]) == ("alice+release", True)


def test_robot_does_not_change_protected_tags_unless_allowed(
    app: Flask, alice: RegistryClient
) -> None:
    alice.push("alice/app", "v1")
    with app.app_context():
        registry.tag_protection.set(protected=["v*"], repository="alice/app")
    actions = ["pull", "push", "delete"]
    robot = as_robot(app, actions=actions)
    with pytest.raises(AssertionError):
        robot.push("alice/app", "v1")
    assert robot.delete("/v2/alice/app/manifests/v1").status_code == 403
    release = as_robot(app, name="v", actions=actions, changes_protected_tags=True)
    release.push("alice/app", "v1")


def test_robot_login_issues_no_refresh_token(app: Flask) -> None:
    robot, secret = make_robot(app)
    answer = log_in(RegistryClient(app, basic(robot.login, secret)))
    assert "refresh_token" not in answer
    assert answer["token"]


@pytest.mark.options(oci_require_login=True, oci_password_login=False)
def test_robot_logs_in_where_a_login_is_required(app: Flask) -> None:
    """Failed logins are not counted, because a secret cannot be guessed."""
    robot, secret = make_robot(app)
    for _ in range(30):
        wrong = RegistryClient(app, basic(robot.login, secret[:-1] + "!"))
        assert wrong.get("/v2/").status_code == 401
    client = RegistryClient(app, basic(robot.login, secret))
    client.push("alice/app", "1")
    assert pull(client) == 200
