"""Access after a change: the registry decides by the state at the time of each
request."""

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
    """Return the refresh token that docker gets when it logs in."""
    answer = client.get("/v2/token", query={"offline_token": "true"})
    return t.cast(str, answer.get_json()["refresh_token"])


def refreshed(app: Flask, secret: str) -> int:
    """Return the status of a request with a refresh token."""
    form = f"grant_type=refresh_token&service=forge&refresh_token={secret}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    anybody = RegistryClient(app)
    return anybody.post("/v2/token", form.encode(), headers=headers).status_code


def test_token_from_password_without_password_login_is_refused(
    make_app: MakeApp,
) -> None:
    """Refresh and bearer tokens from a password end when password logins are switched
    off."""
    before = make_app()
    alice = RegistryClient.of(before, "alice")
    bearer, kept = alice.bearer(), refresh_token_of(alice)
    assert bearer.get("/v2/").status_code == 200
    assert refreshed(before, kept) == 200

    after = make_app(OCI_PASSWORD_LOGIN=False)
    stale = RegistryClient(after, bearer.authorization)
    assert refusal(stale.get("/v2/")) == (401, "UNAUTHORIZED")
    assert refreshed(after, kept) == 401


def test_token_from_access_token_without_password_login_stays_valid(
    make_app: MakeApp,
) -> None:
    """Tokens from an access token stay valid, because users may still log in with
    it."""
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


def test_push_token_for_former_name_creates_new_repository(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """A push token covers the repository that the push creates, not the one that a
    former name leads to."""
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
def test_audit_of_revocation_has_name_of_actor(
    app: Flask, by: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The entry has the name of the user, or None for the command line, but never a
    key."""
    caplog.set_level("INFO", "flask_oci.audit")
    with app.test_request_context():
        alice = registry._catalog.users.by_name("alice")
        token = registry.access_tokens.issue(alice)
        assert registry.access_tokens.revoke(token.id, user=alice if by else None)
    actor = f'"actor": "{by}"' if by else '"actor": null'
    assert actor in caplog.messages[-1]
