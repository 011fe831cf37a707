"""Logins of jobs: exchanges, passwords, and their end."""

from __future__ import annotations

import json
import logging

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import MakeApp
from tests.publishers.ci import Ci
from tests.publishers.ci import message
from tests.publishers.ci import ROBOT
from tests.support.host import registry
from tests.support.identity_issuer import IdentityIssuer
from tests.support.job_claims import GITHUB
from tests.support.job_claims import Workload
from tests.support.job_claims import WORKLOADS
from tests.support.registry_client import RegistryClient
from tests.support.statements import collected
from tests.support.upkeep import Upkeep

JOB = "github Acme/website release.yml refs/tags/v1.2 run 4711"


def test_exchanged_token_pushes_as_robot_and_names_workflow(
    ci: Ci, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a password of the robot and a bearer token, within the robot's limits."""
    caplog.set_level(logging.INFO, "flask_oci.audit")
    response = ci.exchange(ci.token())
    answer = response.get_json()
    assert response.headers["Cache-Control"] == "no-store"
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    assert answer["username"] == ROBOT
    assert answer["issued_token_type"].endswith(":access_token")
    client = ci.robot_client(answer["access_token"])
    client.push("alice/app", "v1")
    assert client.request("GET", "/v2/bob/app/manifests/v1").status_code == 404
    bearer = RegistryClient(ci.app, f"Bearer {answer['access_token']}")
    assert bearer.request("GET", "/v2/alice/app/manifests/v1").status_code == 200
    audited = [json.loads(record.message) for record in caplog.records]
    assert [(e["action"], e["actor"], e["detail"]["workflow"]) for e in audited] == [
        ("login", ROBOT, JOB),
        ("push", ROBOT, JOB),
    ]
    with ci.app.app_context():
        event = registry.events.latest(1)[0]
    assert (event.data["actor"], event.data["workflow"]) == (ROBOT, JOB)


@pytest.mark.parametrize("job", WORKLOADS, ids=lambda job: job.kind)
def test_job_of_each_issuer_logs_in(
    app: Flask, issuer: IdentityIssuer, job: Workload
) -> None:
    """Each further login of the same client continues the session."""
    ci = Ci(app, issuer, job)
    token = ci.token()
    for username in ("oidc", ROBOT, "oidc"):
        response = ci.login(token, username=username)
        assert response.status_code == 200, message(response)
    bearer = RegistryClient(app, f"Bearer {response.get_json()['token']}")
    assert bearer.request("GET", "/v2/").status_code == 200
    assert ci.login(ci.token(), username="alice+other").status_code == 401
    name, value = next(iter(job.other.items()))
    assert ci.login(ci.token(**{name: value})).status_code == 401


def test_docker_login_spends_identity_token_for_refresh_token(ci: Ci) -> None:
    """Docker asks for a refresh token, and stores it instead of the password."""
    token = ci.token()
    response = ci.login(token, query="?offline_token=true&service=forge")
    refresh = response.get_json()["refresh_token"]
    assert "used already" in message(ci.login(token))
    renewed = RegistryClient(ci.app).request(
        "POST",
        "/v2/token",
        f"grant_type=refresh_token&refresh_token={refresh}"
        "&scope=repository:alice/app:push,pull".encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    bearer = RegistryClient(ci.app, f"Bearer {renewed.get_json()['access_token']}")
    bearer.push("alice/app", "v1")


def test_identity_token_is_accepted_from_one_client_only(
    ci: Ci, make_app: MakeApp, issuer: IdentityIssuer
) -> None:
    """Nodes share the uses of tokens through the database."""
    node = make_app(**issuer.config())
    token = ci.token()
    assert ci.exchange(token).status_code == 200
    for app in (ci.app, node):
        refused = ci.exchange(token, app)
        assert refused.status_code == 400
        assert refused.get_json()["error"] == "invalid_request"
        assert "used already" in message(refused)
    assert "used already" in message(ci.login(token))
    stored = ci.token(jti="one")
    assert ci.login(stored).status_code == 200
    assert "another address" in message(ci.login(stored, address="192.0.2.2"))
    assert "used already" in message(ci.exchange(stored, node))
    # Another token with the same identifier.
    assert "used already" in message(ci.login(ci.token(jti="one", run_id="2")))
    assert ci.login(stored).status_code == 200


@pytest.mark.parametrize("end", ["remove", "disable", "delete", "limit"])
def test_login_of_job_ends_with_publisher_or_robot(ci: Ci, end: str) -> None:
    """Passwords, bearer tokens and stored identity tokens end at the next request."""
    token = ci.token()
    clients = [
        ci.robot_client(ci.secret()),
        RegistryClient(ci.app, f"Bearer {ci.login(token).get_json()['token']}"),
    ]
    with ci.app.app_context():
        robot = registry.robots.find(ROBOT)
        assert robot is not None
        if end == "remove":
            assert registry.publishers.remove(robot, ci.publisher_id)
            assert not registry.publishers.remove(robot, ci.publisher_id)
        elif end == "disable":
            registry.robots.disable(robot)
        elif end == "delete":
            registry.robots.delete(robot)
        else:
            registry.robots.change(robot, actions=["pull"])
    wanted = 403 if end == "limit" else 401
    for client in clients[:1] if end == "limit" else clients:
        response = client.request("POST", "/v2/alice/app/blobs/uploads/")
        assert response.status_code == wanted
    if end != "limit":
        assert ci.login(token).status_code == 401
        assert ci.exchange(ci.token()).status_code == 400


def test_robot_taken_over_by_new_owner_loses_publishers(ci: Ci) -> None:
    """The former owner's workflow must not push for the new owner."""
    with ci.app.app_context():
        robot = registry.robots.find(ROBOT)
        assert robot is not None
        registry._catalog.robots.take_over(robot.id, robot.owner_key)
        assert not registry.publishers.list(robot)


def test_publishers_end_with_repository_of_their_robot(ci: Ci) -> None:
    """The check would report the issuer of one that stays in the database."""
    RegistryClient.of(ci.app, "alice").push("alice/app", "v1")
    with ci.app.app_context():
        robot = registry.robots.create("own", repository="alice/app").robot
        registry.publishers.add(robot, ci.url, GITHUB.fields)
        registry.repositories.delete("alice/app")
    assert Upkeep(ci.app).rows("Publisher") == 1


def test_job_that_several_robots_accept_names_one(ci: Ci) -> None:
    with ci.app.app_context():
        other = registry.robots.create("nightly", path="alice").robot
        registry.publishers.add(other, ci.url, GITHUB.fields)
    refused = ci.exchange(ci.token())
    assert refused.get_json()["error"] == "invalid_target"
    assert "alice+nightly, alice+release" in message(refused)
    answer = ci.exchange(ci.token(), robot="alice+nightly").get_json()
    assert answer["username"] == "alice+nightly"
    assert ci.login(ci.token(), username=ROBOT).status_code == 200
    assert "Several robots" in message(ci.login(ci.token()))


def test_publishers_of_other_users_have_no_effect_on_login_with_name_of_robot(
    ci: Ci, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The IDs of a public project are public, so each user can enter them."""
    token, statements = ci.token(), list[int]()
    with ci.app.app_context():
        own = registry.robots.find(ROBOT)
        assert own is not None
        foreign = registry.robots.create("evil", path="bob").robot
        registry.publishers.add(foreign, ci.url, GITHUB.fields)
    refused = message(ci.login(token))
    assert "bob+evil" in refused
    assert "Log in with the name of your own robot instead of oidc." in refused
    monkeypatch.setattr("flask_oci.auth.job_logins.MAX_CANDIDATES", 3)
    for number in range(3):
        with collected(sa.Engine) as executed:
            assert ci.login(ci.token(), username=ROBOT).status_code == 200
        statements.append(len(executed))
        with ci.app.app_context():
            fields = {**GITHUB.fields, "environment": f"e{number}"}
            registry.publishers.add(foreign, ci.url, fields)
    # The first login also reads what later ones find in the cache.
    assert len(set(statements[1:])) == 1
    assert "Too many publishers" in message(ci.login(token))
    with ci.app.app_context():
        assert "Too many publishers" in str(registry.publishers.explain(token).problem)
    # The refusals did not use the token.
    assert ci.login(token, username=ROBOT).status_code == 200
    # A job that names no robot pushes nothing to the user who claims its project.
    with ci.app.app_context():
        registry.publishers.remove(own, ci.publisher_id)
        registry.robots.delete(foreign)
        foreign = registry.robots.create("evil", path="bob").robot
        registry.publishers.add(foreign, ci.url, GITHUB.fields)
    bearer = ci.login(ci.token()).get_json()["token"]
    client = RegistryClient(ci.app, f"Bearer {bearer}")
    for name in ("alice/app", "alice/new"):
        response = client.request("POST", f"/v2/{name}/blobs/uploads/")
        assert response.status_code == 403
        assert "The robot bob+evil may not push here" in message(response)
    assert ci.login(ci.token(), username=ROBOT).status_code == 401


@pytest.mark.parametrize(
    ("form", "error", "text"),
    [
        ({"subject_token": ""}, "invalid_request", "Send the identity token as"),
        ({"subject_token_type": "saml"}, "invalid_request", "subject_token_type"),
        ({"requested_token_type": "x"}, "invalid_request", "requested_token_type"),
        ({"actor_token": "x"}, "invalid_request", "actor_token"),
        ({"scope": "repository:a:pull"}, "invalid_scope", "limits of its robot"),
        ({"audience": "https://evil.example"}, "invalid_target", "forge.example.org"),
    ],
)
def test_exchange_with_invalid_form_has_error_of_oauth(
    ci: Ci, form: dict[str, str], error: str, text: str
) -> None:
    refused = ci.exchange("x", None, **form)
    fields = refused.get_json()
    assert refused.status_code == 400
    assert fields["error"] == error
    assert text in fields["error_description"]
    assert text in fields["errors"][0]["message"]
    assert not set('"\\') & set(fields["error_description"])


def test_registry_without_issuers_refuses_identity_tokens(
    ci: Ci, make_app: MakeApp, client: FlaskClient
) -> None:
    """The refusal names the setting. Such tokens are not passwords of users."""
    ci.app = make_app()
    for response in (ci.login(ci.token()), ci.exchange(ci.token())):
        assert "OCI_OIDC_ISSUERS" in message(response)
    assert ci.login(ci.token(), username="alice").status_code == 401
