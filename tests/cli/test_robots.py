"""`flask oci robot`, and robots in the output of other commands."""

from __future__ import annotations

import json
import typing as t

import pytest
import time_machine
from click.testing import Result
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.requests import basic
from tests.support.host import Administrator
from tests.support.registry_client import RegistryClient
from tests.support.robots import make_robot

Run = t.Callable[..., Result]


@pytest.fixture(name="run")
def _run(app: Flask) -> Run:
    """Run `flask oci`; it succeeds or prints an error."""
    runner = app.test_cli_runner()

    def run(*arguments: str) -> Result:
        result = runner.invoke(args=["oci", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


def test_robot_command_prints_a_secret_that_logs_in(app: Flask, run: Run) -> None:
    """The secret is in no later output; a second one can be valid beside it."""
    created = run("robot", "create", "alice/app+ci", "--action", "push", "--days", "9")
    secret = created.stdout.strip()
    client = RegistryClient(app, basic("alice/app+ci", secret))
    assert client.get("/v2/").status_code == 200
    rotated = run("robot", "rotate", "alice/app+ci", "--overlap-hours", "1", "--json")
    new = RegistryClient(
        app, basic("alice/app+ci", json.loads(rotated.stdout)["secret"])
    )
    assert [each.get("/v2/").status_code for each in (client, new)] == [200, 200]
    shown = run("robot", "show", "alice/app+ci")
    assert secret not in shown.stdout
    fields = json.loads(run("robot", "show", "alice/app+ci", "--json").stdout)
    assert (fields["state"], fields["actions"]) == ("valid", ["push"])
    assert fields["repositories"] == ["alice/app", "alice/app/*"]
    assert len(fields["secrets"]) == 2
    assert fields["used"] is not None
    assert "alice/app+ci" in run("robot", "list", "--path", "alice").stdout
    assert json.loads(run("robot", "list", "--path", "bob", "--json").stdout) == []
    run("robot", "disable", "alice/app+ci")
    assert new.get("/v2/").status_code == 401
    assert "is disabled" in run("robot", "list").stdout
    assert run("robot", "enable", "alice/app+ci").stderr == ""
    assert new.get("/v2/").status_code == 200
    run("robot", "rm", "alice/app+ci")
    assert new.get("/v2/").status_code == 401
    refused = run("robot", "show", "alice/app+ci")
    assert (refused.exit_code, "There is no robot" in refused.stderr) == (1, True)
    for login in ("release", "alice+", "+x", "Alice+x", "alice+X"):
        assert run("robot", "create", login).exit_code == 1
    assert run("robot", "create", "alice/none+x", "--of-repository").exit_code == 1


def test_robot_of_a_repository_is_listed_with_it(
    alice: RegistryClient, run: Run
) -> None:
    alice.push("alice/app", "1")
    run("robot", "create", "alice/app+ci", "--of-repository")
    (found,) = json.loads(run("robot", "list", "--json").stdout)
    assert (found["login"], found["repositories"]) == ("alice/app+ci", ["alice/app"])


def test_who_can_lists_robots_that_reach_the_repository(app: Flask, run: Run) -> None:
    make_robot(app, "alice", actions=["pull"])
    make_robot(app, "bob")
    found = json.loads(run("who-can", "alice/app", "--json").stdout)
    assert {"robot": "alice+release", "actions": ["pull"]} in found
    assert "alice+release (robot)   yes    -" in run("who-can", "alice/app").stdout
    assert "bob+release" not in run("who-can", "alice/app").stdout


def test_check_reports_robots_that_end(
    app: Flask, run: Run, admin: Administrator
) -> None:
    """A robot in use that expires soon, and one whose owner is not active."""

    def codes() -> set[str]:
        return {
            f["code"] for f in json.loads(run("check", "--json").stdout)["findings"]
        }

    secret = run("robot", "create", "alice+ci", "--days", "9").stdout.strip()
    run("robot", "create", "bob+ci")
    assert codes().isdisjoint({"robot-expires", "robot-suspended"})
    assert RegistryClient(app, basic("alice+ci", secret)).get("/v2/").status_code == 200
    admin.change_user("bob", is_active=False)
    assert codes() >= {"robot-expires", "robot-suspended"}
    with time_machine.travel(utcnow().replace(year=utcnow().year + 1)):
        assert "robot-expires" in codes()
