"""Publishers on the pages and in the REST interface."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from flask import Flask

from flask_oci.clock import utcnow
from tests.publishers.ci import Ci
from tests.publishers.ci import ROBOT
from tests.support.credentials import by_access_token
from tests.support.host import registry
from tests.support.identity_issuer import IdentityIssuer
from tests.support.job_claims import GITHUB
from tests.support.job_claims import GITLAB
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

PAGE = "/images/alice/-/publishers"


def test_owner_adds_publisher_with_new_robot_on_page(
    app: Flask, issuer: IdentityIssuer
) -> None:
    """The form has the fields of the issuer. A mistake keeps what was typed."""
    alice, url = Visitor(app, "alice"), issuer.address("gitlab")
    assert PAGE in alice.get("/images/alice/-/rules").links.values()
    page = alice.get(PAGE, issuer=url)
    shown = {each["name"] for each in page.all("input") if "name" in each}
    assert shown >= {f"field-{name}" for name in (*GITLAB.fields, "pipeline")}
    sent = {f"field-{name}": value for name, value in GITLAB.fields.items()}
    wrong = {**sent, "field-project_id": "website", "issuer": url, "robot": "nightly"}
    refused = alice.send(PAGE, **wrong)
    assert refused.status == 422
    assert "Invalid project_id" in refused.text
    kept = {each.get("name"): each.get("value") for each in refused.all("input")}
    assert kept["field-project_path"] == "acme/tools/website"
    with app.app_context():
        assert registry.robots.find("alice+nightly") is None
    done = alice.send(PAGE, **{**wrong, "field-project_id": "20"})
    assert done.status == 302
    listed = alice.get(PAGE).text
    assert "alice+nightly" in listed
    assert "acme/tools/website" in listed
    with app.app_context():
        robot = registry.robots.find("alice+nightly")
        assert robot is not None
        links = alice.get(f"/images/-/robots/{robot.id}").links
        assert f"{PAGE}?robot=nightly" in links.values()
        (publisher,) = registry.publishers.list(robot)
    alice.send(f"{PAGE}/remove", robot=robot.id, publisher=publisher.id)
    assert "There are no publishers yet." in alice.get(PAGE).text


def test_other_users_neither_see_nor_change_publishers(ci: Ci) -> None:
    bob = Visitor(ci.app, "bob")
    assert bob.status(PAGE) == 404
    assert bob.send(PAGE, robot="release", issuer=ci.url).status == 404
    assert bob.send(f"{PAGE}/remove", publisher=ci.publisher_id).status == 404
    rest = RestClient.of(ci.app, "bob")
    query = f"?robot={ROBOT.replace('+', '%2B')}"
    body = {"robot": ROBOT, "issuer": ci.url, "fields": GITHUB.fields}
    requests = [
        ("GET", f"/publishers{query}", None),
        ("DELETE", f"/publishers/{ci.publisher_id}{query}", None),
        ("POST", "/publishers", body),
        ("POST", "/publishers", {**body, "robot": "alice+x", "create": True}),
    ]
    for method, path, sent in requests:
        assert rest.send(method, path, sent).status_code == 404, path
    robot = RestClient(ci.robot_client(ci.secret()))
    for method, path, sent in requests:
        assert robot.send(method, path, sent).status_code == 403, path
    with ci.app.app_context():
        found = registry.robots.find(ROBOT)
        assert found is not None
        assert len(registry.publishers.list(found)) == 1


def test_owner_manages_publishers_with_rest(app: Flask, issuer: IdentityIssuer) -> None:
    rest, url = RestClient.of(app, "alice"), issuer.address("github")
    trusted = rest.get("/issuers")
    assert trusted["audience"] == "https://forge.example.org"
    assert {each["kind"] for each in trusted["items"]} >= {"github", "gitlab"}
    body = {"robot": ROBOT, "issuer": url, "fields": GITHUB.fields}
    assert rest.send("POST", "/publishers", body).status_code == 404
    bad = {**body, "create": True, "fields": {"repository": "acme"}}
    assert rest.send("POST", "/publishers", bad).status_code == 422
    added = rest.done("POST", "/publishers", {**body, "create": True})
    assert added["fields"] == GITHUB.fields
    assert added["created_by"] == "alice"
    query = f"?robot={ROBOT.replace('+', '%2B')}"
    (listed,) = rest.get(f"/publishers{query}")["items"]
    assert listed["id"] == added["id"]
    rest.done("DELETE", f"/publishers/{added['id']}{query}")
    again = rest.send("DELETE", f"/publishers/{added['id']}{query}")
    assert again.status_code == 404
    assert rest.get(f"/publishers{query}")["items"] == []


def test_access_token_adds_no_publisher_beyond_its_limit(
    app: Flask, issuer: IdentityIssuer
) -> None:
    """A publisher is a lasting way to log in, as a secret of the robot is."""
    url = issuer.address("github")

    def client(*actions: str, **limits: t.Any) -> RestClient:
        return RestClient(by_access_token(app, "alice", actions=actions, **limits))

    body = {"robot": "alice+new", "issuer": url, "fields": GITHUB.fields}
    made = {**body, "create": True}
    assert client("manage").send("POST", "/publishers", made).status_code == 403
    short = client("manage", "push", expires=timedelta(days=1))
    short.done("POST", "/publishers", made)
    with app.app_context():
        robot = registry.robots.find("alice+new")
        assert robot is not None
        assert robot.expires_at is not None
        assert robot.expires_at < utcnow() + timedelta(days=2)
        registry.publishers.remove(robot, registry.publishers.list(robot)[0].id)
        registry.robots.change(robot, expires=None)
    for narrow in (client("manage", "pull"), short):
        assert narrow.send("POST", "/publishers", body).status_code == 403
    client("manage", "push", expires=None).done("POST", "/publishers", body)
