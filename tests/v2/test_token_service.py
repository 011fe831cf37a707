"""The token service, as docker and its relatives use it."""

from __future__ import annotations

import io
import typing as t
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.credentials import bearing
from tests.support.credentials import grant
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import DATABASE_URL
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]
TAGS = "/v2/alice/app/tags/list"
MINE = "repository:alice/app"


@pytest.mark.parametrize(
    ("scopes", "granted"),
    [
        ([], ""),
        ([f"{MINE}:pull"], f"{MINE}:pull"),
        ([f"{MINE}:pull,push"], f"{MINE}:pull,push"),
        ([f"{MINE}:*"], f"{MINE}:pull,push,delete"),
        ([f"{MINE}:push,*"], f"{MINE}:pull,push,delete"),
        ([f"{MINE}:pull", f"{MINE}:push"], f"{MINE}:pull,push"),
        ([f"{MINE}:pull {MINE}:push,pull"], f"{MINE}:pull,push"),
        (
            [f"{MINE}:pull repository:alice/b:push"],
            f"{MINE}:pull repository:alice/b:push",
        ),
        ([f"{MINE}:metadata-read,pull"], f"{MINE}:pull"),
        ([f"{MINE}:PULL", f"{MINE}:"], ""),
        (["repository(plugin):alice/app:pull"], f"{MINE}:pull"),
        (["registry:catalog:*"], "registry:catalog:*"),
        (["registry:catalog:read", "registry:other:*"], ""),
        (["repository:localhost:5000/alice/app:pull"], ""),
        (["repository:bob/app:pull,push,delete"], ""),
        ([f"repository:bob/app:* {MINE}:pull"], f"{MINE}:pull"),
        (["nonsense", ":", "::", "a:b:c", "repository::pull", "\0"], ""),
        (["repository:Alice/App:pull", "repository:alice/../bob:pull"], ""),
    ],
)
def test_token_grants_the_allowed_part_of_the_request(
    alice: RegistryClient, bob: RegistryClient, scopes: list[str], granted: str
) -> None:
    """A token grants those of the requested actions that are allowed. A token that
    grants nothing is not an error."""
    bob.push_image("bob/app", "v1")
    response = alice.get("/v2/token", query={"service": "forge", "scope": scopes})
    assert response.status_code == 200
    assert response.get_json()["scope"] == granted
    posted = grant(
        RegistryClient(alice.app),
        grant_type="password",
        username="alice",
        password="wonderland",
        scope=scopes,
    )
    assert posted.get_json()["scope"] == granted


def test_token_response_has_the_fields_of_clients(alice: RegistryClient) -> None:
    """Both names of the token, no moment by our clock, and nothing for a cache."""
    response = alice.get("/v2/token", query={"account": "bob", "client_id": "docker"})
    answer = response.get_json()
    assert set(answer) == {"token", "access_token", "scope", "expires_in"}
    assert answer["token"] == answer["access_token"]
    assert response.headers["Cache-Control"] == "no-store"
    # The account is whose credentials were sent, whatever the parameter says.
    bearer = RegistryClient(alice.app, f"Bearer {answer['token']}")
    assert bearer.get("/v2/bob/app/tags/list").status_code == 404


def test_token_anonymous_covers_public_repositories(
    admin: Administrator, alice: RegistryClient, anonymous: RegistryClient
) -> None:
    """An anonymous client can pull public images, and can do nothing else."""
    alice.push_image("alice/app", "v1")
    alice.push_image("alice/secret", "v1")
    admin.publish("alice/app")
    wanted = [f"{MINE}:*", "repository:alice/secret:*", "registry:catalog:*"]
    answer = anonymous.get("/v2/token", query={"scope": wanted}).get_json()
    assert answer["scope"] == f"{MINE}:pull registry:catalog:*"
    nobody = anonymous.bearer(*wanted)
    assert nobody.get("/v2/").status_code == 200
    assert nobody.get(TAGS).status_code == 200
    assert nobody.get("/v2/_catalog").get_json() == {"repositories": ["alice/app"]}
    for path in ("/v2/alice/app/blobs/uploads/", "/v2/anonymous/x/blobs/uploads/"):
        assert refusal(nobody.post(path)) == (401, "UNAUTHORIZED")
    assert refusal(nobody.get("/v2/alice/secret/tags/list"))[0] == 401


def test_token_anonymous_is_refused_if_login_is_required(make_app: MakeApp) -> None:
    """No anonymous token is issued, and one from before the setting is invalid."""
    app = make_app()
    alice = RegistryClient.of(app, "alice")
    alice.push_image("alice/app", "v1")
    Administrator(app).publish("alice/app")
    before = RegistryClient(app).bearer(f"{MINE}:pull", "registry:catalog:*")
    assert before.get(TAGS).status_code == 200

    app = make_app(OCI_REQUIRE_LOGIN=True)
    ghost = RegistryClient(app, before.authorization)
    for nobody in (ghost, RegistryClient(app), RegistryClient(app, basic("", ""))):
        for path in ("/v2/", "/v2/token", "/v2/_catalog", TAGS):
            assert refusal(nobody.get(path)) == (401, "UNAUTHORIZED"), path
    empty = grant(RegistryClient(app), grant_type="password", username="", password="")
    assert refusal(empty) == (401, "UNAUTHORIZED")
    assert (
        RegistryClient.of(app, "bob").bearer(f"{MINE}:pull").get(TAGS).status_code
        == 200
    )


def test_form_credentials_take_precedence_over_the_header(
    app: Flask, alice: RegistryClient
) -> None:
    """The form's credentials count, not those of the header."""
    alice.push_image("alice/app", "v1")
    fields = {"username": "alice", "password": "wonderland", "scope": f"{MINE}:pull"}
    response = grant(RegistryClient.of(app, "bob"), grant_type="password", **fields)
    assert bearing(app, response).get(TAGS).status_code == 200
    assert "refresh_token" not in response.get_json()
    fields["password"] = "wrong"
    for client in (RegistryClient(app), alice, alice.bearer(f"{MINE}:pull")):
        wrong = grant(client, grant_type="password", **fields)
        assert refusal(wrong) == (401, "UNAUTHORIZED")


def test_credentials_in_the_url_are_ignored(app: Flask) -> None:
    """Addresses are logged; what is sent in one is not read."""
    response = RegistryClient(app).post(
        "/v2/token",
        query={"grant_type": "password", "username": "alice", "password": "wonderland"},
    )
    assert refusal(response) == (400, "UNSUPPORTED")


@pytest.mark.parametrize("grant_type", ["", "client_credentials", "implicit"])
def test_grant_type_unsupported_returns_400(app: Flask, grant_type: str) -> None:
    """An unsupported grant type is refused in a way that makes clients fall back."""
    response = grant(RegistryClient(app), grant_type=grant_type)
    assert refusal(response) == (400, "UNSUPPORTED")


def test_refresh_token_replaces_the_password(app: Flask, alice: RegistryClient) -> None:
    """Docker stores the refresh token instead of the password, and gets tokens with
    it."""
    alice.push_image("alice/app", "v1")
    kept = log_in(alice)["refresh_token"]
    response = refresh(app, kept, f"{MINE}:pull,push", "repository:bob/app:pull")
    assert response.get_json()["scope"] == f"{MINE}:pull,push"
    assert bearing(app, response).get(TAGS).status_code == 200
    offline = grant(
        RegistryClient(app),
        grant_type="password",
        username="alice",
        password="wonderland",
        access_type="offline",
    )
    assert refresh(app, offline.get_json()["refresh_token"]).status_code == 200


def test_refresh_token_requires_a_typed_secret(
    app: Flask, alice: RegistryClient, anonymous: RegistryClient
) -> None:
    """Anonymous clients and clients that refresh get no refresh token."""
    assert "refresh_token" not in log_in(anonymous)
    assert "refresh_token" not in alice.get("/v2/token").get_json()
    again = grant(
        anonymous,
        grant_type="refresh_token",
        refresh_token=log_in(alice)["refresh_token"],
        access_type="offline",
    )
    assert again.status_code == 200
    assert "refresh_token" not in again.get_json()


def test_refresh_token_is_accepted_for_refresh_only(
    app: Flask, alice: RegistryClient
) -> None:
    """It is no password, no bearer token and no access token."""
    kept = log_in(alice)["refresh_token"]
    for header in (basic("alice", kept), f"Bearer {kept}", basic("<token>", kept)):
        assert RegistryClient(app, header).get("/v2/").status_code == 401
    bearer = alice.bearer().authorization or ""
    for secret in (
        "",
        "wonderland",
        bearer.removeprefix("Bearer "),
        kept[:-1],
        kept * 2,
    ):
        assert refresh(app, secret).status_code == 401


def test_refresh_token_lasts_while_it_is_used(
    app: Flask, alice: RegistryClient
) -> None:
    """Ninety days after its last use it is over, and each use begins them anew."""
    used, idle = log_in(alice)["refresh_token"], log_in(alice)["refresh_token"]
    now = utcnow()
    for day in (80, 160, 240):
        with time_machine.travel(now + timedelta(days=day), tick=False):
            assert refresh(app, used).status_code == 200
    with time_machine.travel(now + timedelta(days=91), tick=False):
        assert refresh(app, idle).status_code == 401
    with time_machine.travel(now + timedelta(days=331), tick=False):
        assert refresh(app, used).status_code == 401


@pytest.mark.parametrize(
    "end", ["revoked", "all revoked", "inactive", "deleted", "renamed"]
)
def test_refresh_token_revoked_ends_at_once(
    app: Flask, admin: Administrator, alice: RegistryClient, end: str
) -> None:
    """A refresh token ends with its revocation or its user, and so do the tokens that
    were issued for it."""
    kept = log_in(alice)["refresh_token"]
    bearer = bearing(app, refresh(app, kept, f"{MINE}:pull,push"))
    assert bearer.start_upload("alice/app")
    with app.app_context():
        user = user_named("alice")
        (listed,) = registry.access_tokens.list(user)
        assert listed.kind == "refresh"
        if end == "revoked":
            assert registry.access_tokens.revoke(listed.id, user=user)
        elif end == "all revoked":
            assert registry.access_tokens.revoke_all(user) == 1
    if end == "inactive":
        admin.change_user("alice", is_active=False)
    elif end == "deleted":
        admin.delete_user("alice")
    elif end == "renamed":
        admin.change_user("alice", username="alicia")
    assert refresh(app, kept).status_code == 401
    session = f"/v2/alice/app/blobs/uploads/{NO_SESSION}"
    assert refusal(bearer.get(session)) == (401, "UNAUTHORIZED")


@pytest.mark.skipif(bool(DATABASE_URL), reason="only SQLite keeps a name as long")
def test_refresh_token_of_long_name_is_valid(app: Flask, admin: Administrator) -> None:
    """A name of any length can be logged in with, and stays the same."""
    name = "a" * 300
    admin.change_user("alice", username=name)
    kept = log_in(RegistryClient(app, basic(name, "wonderland")))["refresh_token"]
    assert refresh(app, kept).status_code == 200


def test_a_refresh_token_is_not_left_to_who_gets_the_key(
    app: Flask, alice: RegistryClient
) -> None:
    """A user who is deleted by SQL, and whose key the database gives to another user,
    cannot log in as that user."""
    kept = log_in(alice)["refresh_token"]
    with app.app_context():
        key = user_named("alice").id
        db.session.execute(sa.delete(User).where(User.id == key))
        db.session.add(User(id=key, username="dave", password="x", is_active=True))
        db.session.commit()
    assert refresh(app, kept).status_code == 401


class BrokenBody(io.RawIOBase):
    """A body whose chunks a WSGI server cannot read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any, /) -> int:
        raise RuntimeError("invalid chunk size")


def test_form_that_breaks_off_is_a_client_error(app: Flask) -> None:
    """Each server raises an exception of its own for such a body."""
    response = app.test_client().post(
        "/v2/token",
        content_type="application/x-www-form-urlencoded",
        environ_overrides={
            "wsgi.input": BrokenBody(),
            "wsgi.input_terminated": True,
        },
        headers={"Transfer-Encoding": "chunked"},
    )
    assert response.status_code == 400
    assert refusal(response)[0] == 400
