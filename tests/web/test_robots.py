"""The pages of robots, for users who manage a path or a repository."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from flask_oci.testing.requests import basic
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.robots import make_robot
from tests.support.visitor import Page
from tests.support.visitor import Visitor

ROBOTS = "/images/-/robots"


@pytest.fixture(name="visitor")
def _visitor(app: Flask) -> Visitor:
    return Visitor(app, "alice")


def secret_of(page: Page) -> str:
    """Return the secret that a page shows, without the rest of its line."""
    assert page.status == 200
    begin = page.html.index("oci_rob_")
    return page.html[begin : begin + len("oci_rob_") + 38]


def status(app: Flask, login: str, secret: str) -> int:
    """Return the status of a request of a robot."""
    return RegistryClient(app, basic(login, secret)).get("/v2/").status_code


def test_owner_creates_rotates_disables_and_deletes_a_robot_on_the_pages(
    app: Flask, visitor: Visitor
) -> None:
    page = visitor.get(ROBOTS)
    assert "There are no robots yet." in page.text
    created = visitor.send(
        ROBOTS, under="alice", name="ci", actions=["pull", "push"], days="30"
    )
    first = secret_of(created)
    assert status(app, "alice+ci", first) == 200
    address = visitor.get(ROBOTS).links["alice+ci"]
    shown = visitor.get(address)
    assert first not in shown.html
    assert "by alice." in shown.text
    second = secret_of(visitor.send(f"{address}/secret", overlap="24"))
    assert [status(app, "alice+ci", s) for s in (first, second)] == [200, 200]
    third = secret_of(visitor.send(f"{address}/secret", overlap="0"))
    assert [status(app, "alice+ci", s) for s in (second, third)] == [401, 200]
    visitor.send(f"{address}/state", enabled="no")
    assert status(app, "alice+ci", third) == 401
    assert "This robot is disabled." in visitor.get(address).text
    visitor.send(f"{address}/state", enabled="yes")
    assert status(app, "alice+ci", third) == 200
    with app.app_context():
        found = registry.robots.find("alice+ci")
        assert found is not None
        (secret,) = registry.robots.secrets_of(found)
    visitor.send(f"{address}/revoke", secret=secret.id)
    assert status(app, "alice+ci", third) == 401
    question = visitor.send(f"{address}/delete")
    assert visitor.status(address) == 200
    assert visitor.follow_form(question).status == 302
    assert visitor.status(address) == 404
    for fields in (
        {"name": "CI", "actions": "pull"},
        {"name": "ci"},
        {"name": "ci", "actions": "manage"},
        {"name": "ci", "actions": "pull", "repositories": "bob/*"},
        {"name": "ci", "actions": "pull", "days": "5"},
    ):
        assert visitor.send(ROBOTS, under="alice", **fields).status == 422


def test_robots_of_others_are_hidden_on_the_pages(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """Another user gets 404, and an administrator sees all robots."""
    alice.push("alice/app", "1")
    robot, _ = make_robot(app)
    settings = visitor.get("/images/alice/app/-/settings")
    page = visitor.get(settings.links["Show its robots"])
    assert "There are no robots yet." in page.text
    made = visitor.send(
        ROBOTS, repository="alice/app", name="ci", actions="pull", protected="yes"
    )
    assert status(app, "alice/app+ci", secret_of(made)) == 200
    bob, address = Visitor(app, "bob"), f"{ROBOTS}/{robot.id}"
    for path in (
        address,
        f"{ROBOTS}/{'0' * 32}",
        f"{ROBOTS}?path=alice",
        f"{ROBOTS}?repository=alice/app",
    ):
        assert bob.status(path) == 404
    for path in ("state", "secret", "revoke", "delete"):
        assert bob.send(f"{address}/{path}", overlap="0").status == 404
    assert bob.send(ROBOTS, under="alice", name="x", actions="pull").status == 404
    assert "alice+release" not in bob.get(f"{ROBOTS}?show=all").text
    hooks = app.extensions["oci"].hooks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "manages_namespace", lambda user, path: False)
        mine = visitor.get(ROBOTS).text
        assert "Enter a path that you manage." in mine
        assert "There are no robots yet." not in mine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "is_admin", lambda user: user.username == "bob")
        everything = bob.get(f"{ROBOTS}?show=all").text
        assert "alice+release" in everything
        assert "alice/app+ci" in everything
        assert bob.status(address) == 200
        assert bob.send(ROBOTS, under="site", name="x", actions="pull").status == 200


def test_push_of_a_robot_is_shown_on_the_pages(app: Flask, visitor: Visitor) -> None:
    robot, secret = make_robot(app)
    RegistryClient(app, basic(robot.login, secret)).push("alice/app", "1")
    for path in ("", "/-/image/1", "/-/history"):
        assert "alice+release (robot)" in visitor.get(f"/images/alice/app{path}").text


def current(page: Page) -> list[str]:
    """Return the addresses of the links that a page marks as current."""
    return [link["href"] for link in page.all("a") if "aria-current" in link]


@pytest.mark.options(
    oci_external_url="https://forge.example.org",
    oci_oidc_issuers={"https://token.actions.githubusercontent.com": "github"},
)
def test_pages_of_a_path_and_of_robots_have_one_heading_and_mark_their_place(
    visitor: Visitor, alice: RegistryClient
) -> None:
    alice.push_image("alice/app", "v1")
    rules, settings = "/images/alice/-/rules", "/images/alice/app/-/settings"
    for address in (rules, f"{rules}/retention", f"{rules}/policy"):
        assert current(visitor.get(address)) == ["/images/-/storage"]
    assert current(visitor.get("/images/alice/-/publishers")) == [ROBOTS]
    page = visitor.get(ROBOTS, repository="alice/app")
    assert current(page) == [ROBOTS, settings]
    headings = [
        html.partition("</h")[0] for html in re.split(r"<h[12][^>]*>", page.html)[1:]
    ]
    assert [text.strip() for text in headings].count("Robots") == 1
    assert current(visitor.get(f"{settings}/policy")) == [settings]
