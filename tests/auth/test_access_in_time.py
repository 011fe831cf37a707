"""What was let in before a change is judged by what is true after it."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]


def refresh_token_of(client: RegistryClient) -> str:
    """Log in as docker does, and return what it keeps."""
    answer = client.get("/v2/token", query={"offline_token": "true"})
    return t.cast(str, answer.get_json()["refresh_token"])


def refreshed(app: Flask, secret: str) -> int:
    """Return the status of an attempt to go on with a refresh token."""
    form = f"grant_type=refresh_token&service=forge&refresh_token={secret}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    anybody = RegistryClient(app)
    return anybody.post("/v2/token", form.encode(), headers=headers).status_code


def test_what_was_had_with_a_password_ends_with_passwords(make_app: MakeApp) -> None:
    """Refresh and bearer tokens that a password got die when passwords are off."""
    before = make_app()
    alice = RegistryClient.of(before, "alice")
    bearer, kept = alice.bearer(), refresh_token_of(alice)
    assert bearer.get("/v2/").status_code == 200
    assert refreshed(before, kept) == 200

    after = make_app(OCI_PASSWORD_LOGIN=False)
    stale = RegistryClient(after, bearer.authorization)
    assert refusal(stale.get("/v2/")) == (401, "UNAUTHORIZED")
    assert refreshed(after, kept) == 401


def test_access_tokens_outlive_passwords(make_app: MakeApp) -> None:
    """What an access token got goes on, since access tokens still will do."""
    app = make_app()
    with app.test_request_context():
        alice = registry._catalog.users.by_name("alice")
        secret = registry.access_tokens.issue(alice).secret
    app = make_app(OCI_PASSWORD_LOGIN=False)
    by_password = RegistryClient.of(app, "alice")
    assert refusal(by_password.get("/v2/")) == (401, "UNAUTHORIZED")
    client = RegistryClient(app, basic("alice", secret))
    assert client.bearer().get("/v2/").status_code == 200
    assert refreshed(app, refresh_token_of(client)) == 200


def test_who_gave_a_name_away_may_take_it_back(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """A token to push is for the repository that a push makes, not for the one that
    an old name leads to."""
    alice.push_image("alice/app", "v1")
    with app.test_request_context():
        registry.repositories.rename("alice/app", "bob/app")
        owner = registry._catalog.users.by_name("bob")
        registry.repositories.transfer("bob/app", owner)

    again = alice.bearer("repository:alice/app:pull,push")
    assert refusal(again.get("/v2/alice/app/tags/list")) == (404, "NAME_UNKNOWN")
    again.push_image("alice/app", "v2")
    assert alice.tags("alice/app") == ["v2"]
    assert bob.tags("bob/app") == ["v1"]


@pytest.mark.parametrize("by", ["alice", None])
def test_the_audit_names_who_revoked_a_token(
    app: Flask, by: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The name of who did it, or nobody for the command line; never a key."""
    caplog.set_level("INFO", "flask_oci.audit")
    with app.test_request_context():
        alice = registry._catalog.users.by_name("alice")
        token = registry.access_tokens.issue(alice)
        assert registry.access_tokens.revoke(token.id, user=alice if by else None)
    actor = f'"actor": "{by}"' if by else '"actor": null'
    assert actor in caplog.messages[-1]
