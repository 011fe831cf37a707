"""`flask oci token`: access tokens at the command line."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import datetime
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from click.testing import Result
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_oci.clock import utcnow
from flask_oci.spec.name_pattern import can_match
from flask_oci.spec.reference import NAME_PATTERN
from flask_oci.testing import Faults
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

Run = t.Callable[..., Result]


@pytest.fixture(name="run")
def _run(app: Flask) -> Run:
    """Run `flask oci token`; it succeeds or prints an error."""
    runner = app.test_cli_runner()

    def run(*arguments: str) -> Result:
        result = runner.invoke(args=["oci", "token", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


def works(app: Flask, secret: str, name: str = "alice") -> bool:
    """Return True if a user can log in with a secret."""
    response = RegistryClient(app, basic(name, secret)).get("/v2/")
    return response.status_code == 200


def test_create_for_deactivated_user_is_refused(app: Flask, run: Run) -> None:
    """The token would be refused at each use."""
    result = run("create", "carol")
    assert result.exit_code == 1
    assert "carol is deactivated" in result.stderr
    assert not result.stdout
    with app.app_context():
        assert registry.access_tokens.list(user_named("carol")) == []


def test_create_prints_only_the_secret_to_stdout(app: Flask, run: Run) -> None:
    """The instructions are on the standard error."""
    result = run("create", "alice", "--name", "laptop")
    assert result.exit_code == 0, result.output
    (secret,) = result.stdout.splitlines()
    assert works(app, secret)
    assert not works(app, secret, "bob")
    assert "not shown again" in result.stderr
    assert "docker login HOST -u alice --password-stdin" in result.stderr
    (listed,) = json.loads(run("list", "alice", "--json").stdout)
    assert listed["name"] == "laptop"
    assert listed["id"] in result.stderr
    assert f"pull, push in alice/* until {listed['expires'][:10]}." in result.stderr
    assert datetime.fromisoformat(listed["created"]).isoformat() == listed["created"]
    assert listed["actions"] == ["pull", "push"]
    assert listed["repositories"] == ["alice/*"]


def test_page_and_rest_have_the_defaults_of_the_command(app: Flask, run: Run) -> None:
    """The command with no options, the empty form and REST with the required fields
    issue the same token, which is narrow."""
    run("create", "alice")
    visitor = Visitor(app, "alice")
    page = visitor.get("/images/-/tokens")
    boxes = [b["value"] for b in page.all("input") if "checked" in b]
    (chosen,) = (o["value"] for o in page.all("option") if "selected" in o)
    (patterns,) = (
        i["value"] for i in page.all("input") if i.get("id") == "repositories"
    )
    visitor.send("/images/-/tokens", repositories=patterns, actions=boxes, days=chosen)
    fields = {"repositories": ["alice/*"], "actions": ["pull", "push"]}
    assert RestClient.of(app, "alice").send("POST", "/tokens", fields).status_code < 300
    tokens = json.loads(run("list", "alice", "--json").stdout)
    assert len(tokens) == 3
    for token in tokens:
        assert (token["repositories"], token["actions"]) == tuple(fields.values())
        life = datetime.fromisoformat(token["expires"]) - utcnow()
        assert timedelta(days=29) < life <= timedelta(days=30)
    run("create", "bob", "--no-expiry")
    (token,) = json.loads(run("list", "bob", "--json").stdout)
    assert token["expires"] is None


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "pattern",
    [
        *("Alice/*", "alice/", "/alice", "*/", "localhost:5000/*", "alice/app:1.0"),
        *("a//b", "a.-b", "a___b", "alice/[A-Z]*", "alice/[*", "é*", ".*?/."),
    ],
)
def test_pattern_that_matches_no_name_is_refused_everywhere(
    app: Flask, run: Run, pattern: str
) -> None:
    """A token or a webhook with it would be useless. Nothing is stored."""
    result = run("create", "alice", "--repository", pattern)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "matches no repository name" in result.stderr
    with app.app_context():
        with pytest.raises(ValueError, match="matches no repository name"):
            registry.access_tokens.issue(user_named("alice"), repositories=[pattern])
        with pytest.raises(ValueError, match="No repository name matches"):
            registry.events.add_webhook("https://x.example", repositories=[pattern])
        assert registry.access_tokens.list(user_named("alice")) == []
    body = {"repositories": ["a", pattern], "actions": ["pull"]}
    response = RestClient.of(app, "alice").send("POST", "/tokens", body)
    assert refusal(response) == (422, "UNSUPPORTED")


@given(
    st.from_regex(NAME_PATTERN, fullmatch=True).filter(lambda name: len(name) < 99),
    st.data(),
)
def test_pattern_of_a_name_is_accepted(name: str, data: st.DataObject) -> None:
    """Every pattern that matches a name can match one."""
    wild = st.sampled_from(["*", "?", "[!A-Z]", "[]a-z0-9._/-]", "**", ""])
    pattern = "".join(
        c if data.draw(st.booleans()) else data.draw(wild) or c for c in name
    )
    assert fnmatchcase(name, pattern)
    assert can_match(pattern)


def test_create_with_limits_stores_actions_patterns_and_lifetime(
    app: Flask, alice: RegistryClient, run: Run
) -> None:
    """The token has them."""
    alice.push_image("alice/app", "v1")
    made = json.loads(
        run(
            *("create", "alice", "--json", "--days", "30"),
            *("--action", "pull", "--repository", "alice/app", "--repository", "b/*"),
        ).stdout
    )
    assert set(made) == {"id", "secret"}
    client = RegistryClient(app, basic("alice", made["secret"]))
    assert client.tags("alice/app") == ["v1"]
    assert client.post("/v2/alice/app/blobs/uploads/").status_code == 403
    assert client.get("/v2/alice/other/tags/list").status_code == 404
    (listed,) = json.loads(run("list", "alice", "--json").stdout)
    assert listed["actions"] == ["pull"]
    assert listed["repositories"] == ["alice/app", "b/*"]
    left = datetime.fromisoformat(listed["expires"]) - utcnow()
    assert timedelta(days=29) < left <= timedelta(days=30)


def test_list_includes_refresh_tokens_without_secrets(
    app: Flask, alice: RegistryClient, run: Run
) -> None:
    """They are revoked in the same way."""
    secret = json.loads(run("create", "alice", "--json").stdout)["secret"]
    assert works(app, secret)
    kept = log_in(alice)["refresh_token"]
    for output in (run("list", "alice").stdout, run("list", "alice", "--json").stdout):
        assert "access" in output
        assert "refresh" in output
        assert "docker login" in output
        assert secret not in output
        assert kept not in output
    listed = json.loads(run("list", "alice", "--json").stdout)
    assert {entry["kind"]: bool(entry["used"]) for entry in listed} == {
        "access": True,
        "refresh": False,
    }
    nobody = run("list", "bob")
    assert (nobody.exit_code, nobody.stdout) == (0, "")
    assert "bob has no tokens" in nobody.stderr


def test_list_replaces_control_characters_in_names(app: Flask, run: Run) -> None:
    """Users choose the names of their tokens."""
    issue(app, "alice", name="\x1b]0;x\x07\x1b[2J\r\n", repositories=["[\x9ba]"])
    _, line = run("list", "alice").stdout.splitlines()
    assert line.isprintable()
    # A list of Python would have quotes and brackets.
    assert re.search(r"   \[\?a\] +pull push delete   20", line)
    (listed,) = json.loads(run("list", "alice", "--json").stdout)
    assert listed["name"].startswith("\x1b]0;x")


def test_revoke_ends_the_token_at_once(app: Flask, run: Run) -> None:
    """The list no longer has it."""
    made = json.loads(run("create", "alice", "--json").stdout)
    bearer = RegistryClient(app, basic("alice", made["secret"])).bearer()
    assert bearer.get("/v2/").status_code == 200
    result = run("revoke", made["id"])
    assert (result.exit_code, result.stdout) == (0, f"Revoked {made['id']}.\n")
    assert not works(app, made["secret"])
    assert bearer.get("/v2/").status_code == 401
    assert json.loads(run("list", "alice", "--json").stdout) == []


def test_revoke_accepts_the_secret(app: Flask, run: Run) -> None:
    """The output does not repeat it."""
    made = json.loads(run("create", "alice", "--json").stdout)
    result = run("revoke", made["secret"])
    assert (result.exit_code, result.stdout) == (0, f"Revoked {made['id']}.\n")
    assert not works(app, made["secret"])
    again = run("revoke", made["secret"])
    assert again.exit_code == 1
    assert made["secret"] not in again.output


def test_revoke_all_ends_all_tokens_of_one_user(
    app: Flask, alice: RegistryClient, run: Run
) -> None:
    """This includes tokens that were issued for a password, and no token of another
    user."""
    secrets = [issue(app, name).secret for name in ("alice", "alice", "bob")]
    bearer = alice.bearer()
    result = run("revoke-all", "alice")
    assert result.exit_code == 0, result.output
    assert "Revoked 2 tokens of alice" in result.stdout
    assert [works(app, secret) for secret in secrets[:2]] == [False, False]
    assert works(app, secrets[2], "bob")
    assert bearer.get("/v2/").status_code == 401
    assert alice.get("/v2/").status_code == 200


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "nobody"], "There is no user nobody."),
        (["list", "nobody"], "There is no user nobody."),
        (["revoke", "0" * 32], "There is no token"),
        (["revoke", "oci_pat_secret"], "There is no token"),
        (["revoke-all", "nobody"], "There is no user nobody."),
        (["create", "alice", "--action", "admin"], "admin"),
        (["create", "alice", "--days", "0"], "--days"),
        (["create", "alice", "--days", "9" * 20], "--days"),
        (["create", "alice", "--repository", ""], "repositories"),
        (["create"], "USERNAME"),
    ],
)
def test_command_with_invalid_arguments_fails(
    app: Flask, run: Run, arguments: list[str], message: str
) -> None:
    """It prints the reason, exits with an error and issues no token."""
    result = run(*arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert result.stdout == ""
    with app.app_context():
        assert registry.access_tokens.list(user_named("alice")) == []


def test_token_of_an_inactive_user_does_not_work(
    app: Flask, admin: Administrator, run: Run
) -> None:
    """It works while the user is active."""
    admin.change_user("carol", is_active=True)
    secret = json.loads(run("create", "carol", "--json").stdout)["secret"]
    admin.change_user("carol", is_active=False)
    assert not works(app, secret, "carol")
    admin.change_user("carol", is_active=True)
    assert works(app, secret, "carol")


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "alice"),
        ("list", "alice"),
        ("revoke", "0" * 32),
        ("revoke-all", "alice"),
    ],
)
def test_command_with_an_unreachable_database_exits_with_2(
    app: Flask, run: Run, arguments: tuple[str, ...]
) -> None:
    """The error is printed."""
    with Faults(app).database(0):
        result = run(*arguments)
    assert result.exit_code == 2
    assert "database does not respond" in result.stderr
