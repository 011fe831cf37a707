"""Tokens for a password that its user replaces while the host checks it."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support import host
from tests.support.credentials import bearing
from tests.support.credentials import grant
from tests.support.credentials import refresh
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.interleaving import in_thread
from tests.support.registry_client import RegistryClient

SCOPE = "repository:bob/app:pull"
MANIFEST = "/v2/bob/app/manifests/v1"

#: The ways in which a thief of bob's password requests a token.
REQUESTS: dict[str, t.Callable[[RegistryClient], TestResponse]] = {
    "query": lambda bob: bob.get("/v2/token", query={"scope": SCOPE}),
    "query-offline": lambda bob: bob.get(
        "/v2/token", query={"scope": SCOPE, "offline_token": "true"}
    ),
    "form": lambda bob: grant(
        RegistryClient(bob.app),
        grant_type="password",
        username="bob",
        password="builder",
        scope=SCOPE,
    ),
}


@pytest.fixture(autouse=True)
def _restored_hooks() -> t.Iterator[None]:
    """Restore the functions of the host after each test."""
    yield
    # There is no public function to remove a hook.
    registry._hooks.user_loader = None
    registry.authenticate(host.check)


def check_while(change: t.Callable[[], object]) -> None:
    """Let the host check passwords slowly: a change comes before the result."""

    @registry.authenticate
    def check_slowly(username: str, secret: str) -> User | None:
        user = host.check(username, secret)
        in_thread(change)()
        return user


def assert_useless(app: Flask, answer: TestResponse) -> None:
    """Assert that the tokens in an answer give no access, if it has any."""
    if answer.status_code == 401:
        return
    assert refusal(bearing(app, answer).get(MANIFEST)) == (401, "UNAUTHORIZED")
    secret = t.cast(t.Any, answer.get_json()).get("refresh_token")
    if secret is not None:
        assert refusal(refresh(app, secret, SCOPE)) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("request_token", REQUESTS.values(), ids=REQUESTS)
def test_token_for_password_revoked_during_its_check_is_useless(
    app: Flask,
    bob: RegistryClient,
    request_token: t.Callable[[RegistryClient], TestResponse],
) -> None:
    """The token counts as issued when the check began, before the revocation."""

    def revoke() -> None:
        with app.app_context():
            registry.access_tokens.revoke_all(user_named("bob"))

    bob.push_image("bob/app", "v1")
    check_while(revoke)
    assert_useless(app, request_token(bob))


@pytest.mark.parametrize("failures", [0, 1])
@pytest.mark.parametrize("request_token", REQUESTS.values(), ids=REQUESTS)
def test_token_for_former_identifier_is_useless(
    app: Flask,
    bob: RegistryClient,
    admin: Administrator,
    monkeypatch: pytest.MonkeyPatch,
    request_token: t.Callable[[RegistryClient], TestResponse],
    failures: int,
) -> None:
    """The identifier of the host's users changes with the password. A token has the one
    of the password that was checked, also if the user is read again."""
    monkeypatch.setattr(User, "get_id", lambda user: f"{user.id}-{user.password}")

    @registry.user_loader
    def load(subject: str) -> User | None:
        key, password = subject.split("-")
        user = db.session.get(User, int(key))
        return user if user and user.password == password else None

    bob.push_image("bob/app", "v1")
    for _ in range(failures):
        failed = RegistryClient(app, basic("bob", "wrong")).get("/v2/token")
        assert failed.status_code == 401
    check_while(lambda: admin.change_user("bob", password="new"))
    assert_useless(app, request_token(bob))
