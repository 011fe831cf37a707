"""Bearer tokens: their verification and their end."""

from __future__ import annotations

import hashlib
import json
import typing as t
from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from itsdangerous import URLSafeTimedSerializer

from flask_oci.auth.signed_tokens import SALT
from flask_oci.clock import utcnow
from flask_oci.config import ConfigError
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]
KEY = "only for tests"
PULL = "repository:alice/app:pull"
TAGS = "/v2/alice/app/tags/list"


def token_of(client: RegistryClient, *scopes: str) -> str:
    """Return a bearer token of a user."""
    authorization = client.bearer(*scopes).authorization
    assert authorization is not None
    return authorization.removeprefix("Bearer ")


def status(app: Flask, token: str, path: str = TAGS) -> int:
    """Return the status of a request with a token."""
    return RegistryClient(app, f"Bearer {token}").get(path).status_code


def signed(key: str = KEY, salt: str = SALT, **fields: object) -> str:
    """Return a signed token for alice.

    :param fields: the claims that differ from those of a valid token. None omits a
    claim.

    """
    claims = {"sub": "1", "usr": "alice", "aud": "forge", "access": [], "iat": 0}
    claims.update(fields)
    return URLSafeTimedSerializer(
        key,
        salt=salt,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    ).dumps({"via": None, **{k: v for k, v in claims.items() if v is not None}})


def test_token_with_changed_character_is_refused(alice: RegistryClient) -> None:
    """The signature covers every character."""
    alice.push_image("alice/app", "v1")
    token = token_of(alice, PULL)
    assert status(alice.app, token) == 200
    for position in range(0, len(token), 3):
        other = "B" if token[position] == "A" else "A"
        changed = token[:position] + other + token[position + 1 :]
        # The last character has bits that base64 does not use.
        if position < len(token) - 1:
            assert status(alice.app, changed) == 401, position


def test_token_with_missing_or_extra_characters_is_refused(
    alice: RegistryClient,
) -> None:
    """Neither a part of a token nor a longer text is a token."""
    alice.push_image("alice/app", "v1")
    token = token_of(alice, PULL)
    for length in range(0, len(token) - 1, 5):
        assert status(alice.app, token[:length]) == 401
    for longer in (f"{token}A", f"{token}.", f".{token}", f"{token}.{token}"):
        assert status(alice.app, longer) == 401


def test_token_of_parts_of_two_tokens_is_refused(
    alice: RegistryClient, bob: RegistryClient
) -> None:
    """Bob's signature, time or payload give no access as alice."""
    mine = token_of(alice, PULL).rsplit(".", 2)
    other = token_of(bob, PULL).rsplit(".", 2)
    for position in range(3):
        mixed = [*mine]
        mixed[position] = other[position]
        if mixed != mine:
            assert status(alice.app, ".".join(mixed), "/v2/") == 401


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, 200),
        ({"key": "another"}, 401),
        ({"salt": "cookie-session"}, 401),
        ({"salt": "itsdangerous"}, 401),
        ({"aud": "elsewhere"}, 401),
        ({"usr": "bob"}, 401),
        ({"sub": "1000000"}, 401),
        ({"iat": None}, 401),
        ({"aud": None}, 401),
    ],
    ids=[
        "ours",
        "another key",
        "a session's salt",
        "no salt",
        "another service",
        "another name",
        "nobody",
        "an earlier version's",
        "no service",
    ],
)
def test_text_signed_for_another_purpose_is_refused(
    app: Flask, fields: dict[str, t.Any], answer: int
) -> None:
    """A token is signed with the key of the application, as a token and for this
    service."""
    with app.app_context():
        fields = {"sub": user_named("alice").get_id(), **fields}
    response = RegistryClient(app, f"Bearer {signed(**fields)}").get("/v2/")
    assert response.status_code == answer
    if answer == 401:
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256"])
def test_token_that_names_an_algorithm_is_refused(app: Flask, algorithm: str) -> None:
    """The registry does not read an algorithm from the token."""
    parts = ({"alg": algorithm, "jwk": {}}, {"sub": "1", "usr": "alice"})
    encoded = [urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts]
    assert status(app, ".".join([*encoded, ""]), "/v2/") == 401
    assert status(app, ".".join([*encoded, "c2ln"]), "/v2/") == 401


def test_token_of_fallback_key_is_accepted(make_app: MakeApp) -> None:
    """The registry verifies tokens with a fallback key, but does not sign with it."""
    old = make_app(SECRET_KEY="old")
    token = token_of(RegistryClient.of(old, "alice"))
    rotated = make_app(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", "old"])
    assert status(rotated, token, "/v2/") == 200
    fresh = token_of(RegistryClient.of(rotated, "alice"))
    assert status(old, fresh, "/v2/") == 401
    after = make_app(SECRET_KEY="new")
    assert status(after, token, "/v2/") == 401
    assert status(after, fresh, "/v2/") == 200


def test_token_of_another_service_is_refused(make_app: MakeApp) -> None:
    """Two registries with the same key do not accept tokens of each other."""
    token = token_of(RegistryClient.of(make_app(OCI_SERVICE="first"), "alice"))
    assert status(make_app(OCI_SERVICE="second"), token, "/v2/") == 401
    assert status(make_app(OCI_SERVICE="first"), token, "/v2/") == 200


@pytest.mark.parametrize(
    ("seconds", "answer"),
    [
        (0, 200),
        (899, 200),
        (908, 200),
        (911, 401),
        (10**6, 401),
        (-9, 200),
        (-60, 401),
    ],
)
def test_token_after_its_lifetime_is_refused(
    alice: RegistryClient, seconds: int, answer: int
) -> None:
    """The registry allows some seconds more than the token says, because clocks differ.
    It refuses a token from the future."""
    now = utcnow()
    with time_machine.travel(now, tick=False):
        response = alice.get("/v2/token")
    assert response.get_json()["expires_in"] == 900
    token = response.get_json()["token"]
    with time_machine.travel(now + timedelta(seconds=seconds), tick=False):
        assert status(alice.app, token, "/v2/") == answer


@pytest.mark.options(oci_token_lifetime=300)
def test_token_lifetime_is_configurable(alice: RegistryClient) -> None:
    """The answer to the client and the verification use OCI_TOKEN_LIFETIME."""
    answer = alice.get("/v2/token").get_json()
    assert answer["expires_in"] == 300
    with time_machine.travel(utcnow() + timedelta(seconds=312), tick=False):
        assert status(alice.app, answer["token"], "/v2/") == 401


def test_token_lifetime_below_a_minute_raises(make_app: MakeApp) -> None:
    """Some clients use a token for a minute, whatever the answer says."""
    make_app(OCI_TOKEN_LIFETIME=60)
    with pytest.raises(ConfigError, match="must be at least 60 seconds, not 59"):
        make_app(OCI_TOKEN_LIFETIME=59)


@pytest.mark.parametrize("length", [8 * 1024, 64 * 1024])
def test_token_longer_than_a_header_is_refused(app: Flask, length: int) -> None:
    """A token of eight kilobytes is refused like any invalid token."""
    for filler in ("A", ".", "A.", "="):
        token = (filler * length)[:length]
        assert status(app, token, "/v2/") == 401
        client = RegistryClient(app, f"Basic {token}")
        assert client.get("/v2/").status_code == 401


def test_token_of_many_scopes_fits_into_a_header(alice: RegistryClient) -> None:
    """Servers accept eight kilobytes of headers, and some proxies accept less."""
    scopes = [f"repository:alice/project-{n}/service-{n}:pull" for n in range(60)]
    token = token_of(alice, *scopes)
    assert len(token) < 4096
    assert status(alice.app, token, "/v2/alice/project-1/service-1/referrers/x") == 400


def test_token_of_long_scopes_covers_those_that_fit(alice: RegistryClient) -> None:
    """The answer names them. A client that needs another one requests it."""
    names = [f"alice/{hashlib.sha512(bytes([n])).hexdigest()}" for n in range(60)]
    scopes = [f"repository:{name}:pull,push,delete" for name in names]
    answer = alice.get("/v2/token", query={"service": "forge", "scope": scopes})
    token, granted = (answer.get_json()[key] for key in ("token", "scope"))
    covered = granted.split()
    assert covered == scopes[: len(covered)]
    assert 10 < len(covered) < 50
    assert len(token) < 4096
    for number, expected in ((len(covered) - 1, 400), (len(covered), 401)):
        path = f"/v2/{names[number]}/referrers/x"
        assert status(alice.app, token, path) == expected
    other = token_of(alice, scopes[len(covered)])
    path = f"/v2/{names[len(covered)]}/referrers/x"
    assert status(alice.app, other, path) == 400


def test_bearer_token_does_not_get_another_token(alice: RegistryClient) -> None:
    """A stolen bearer token is valid for minutes. It cannot be renewed or exchanged for
    a refresh token."""
    bearer = alice.bearer(PULL)
    for query in ({}, {"scope": PULL}, {"offline_token": "true"}):
        assert refusal(bearer.get("/v2/token", query=query)) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("end", ["deleted", "deactivated", "renamed"])
def test_token_of_deleted_or_disabled_user_is_refused(
    alice: RegistryClient, end: str
) -> None:
    """It ends with the next request if the user was deleted, disabled or replaced."""
    token = token_of(alice)
    administrator = Administrator(alice.app)
    if end == "deleted":
        administrator.delete_user("alice")
    elif end == "deactivated":
        administrator.change_user("alice", is_active=False)
    else:
        administrator.change_user("alice", username="alicia")
    assert status(alice.app, token, "/v2/") == 401


def test_token_of_deleted_user_is_not_for_next_user(alice: RegistryClient) -> None:
    """Some databases reuse the key of a deleted user. The next user with the same name
    and key does not inherit the tokens."""
    alice.push_image("alice/app", "v1")
    token = token_of(alice, PULL)
    administrator = Administrator(alice.app)
    with alice.app.app_context():
        key = user_named("alice").id
    administrator.delete_user("alice")
    with alice.app.app_context():
        newcomer = {"username": "alice", "password": "different", "is_active": True}
        db.session.add(User(id=key, **newcomer))
        db.session.commit()
    assert status(alice.app, token, "/v2/") == 401
    newcomer_client = RegistryClient(alice.app, basic("alice", "different"))
    assert status(alice.app, token_of(newcomer_client), "/v2/") == 200
    assert refusal(newcomer_client.get(TAGS)) == (404, "NAME_UNKNOWN")


def test_revoke_all_ends_bearer_tokens(
    alice: RegistryClient, bob: RegistryClient
) -> None:
    """A host that revokes all tokens of a user ends bearer tokens as well."""
    app, other = alice.app, token_of(bob)
    token, kept = token_of(alice), log_in(alice)["refresh_token"]
    Administrator(app).change_user("alice", password="another")
    assert alice.get("/v2/").status_code == 401
    with app.app_context():
        assert registry.access_tokens.revoke_all(user_named("alice")) == 1
    assert status(app, token, "/v2/") == 401
    assert refresh(app, kept).status_code == 401
    assert status(app, other, "/v2/") == 200
    for _ in range(2):
        again = token_of(RegistryClient(app, basic("alice", "another")))
        assert status(app, again, "/v2/") == 200
        with app.app_context():
            registry.access_tokens.revoke_all(user_named("alice"))
        assert status(app, again, "/v2/") == 401


def test_challenge_is_one_bearer_challenge(
    alice: RegistryClient, anonymous: RegistryClient
) -> None:
    """All values are quoted, and only clients that sent a token get an error."""
    alice.push_image("alice/app", "v1")
    base = 'Bearer realm="http://localhost/v2/token",service="forge"'
    scope = ',scope="repository:alice/app:pull"'
    pushing = ',scope="repository:alice/app:pull,push"'
    lacking = ',error="insufficient_scope"'
    for client, path, challenge in (
        (anonymous, "/v2/", base),
        (anonymous, TAGS, base + scope),
        (alice.bearer(), TAGS, base + scope + lacking),
        (anonymous.bearer(), TAGS, base + scope + lacking),
        (RegistryClient(alice.app, "Bearer x"), TAGS, f'{base},error="invalid_token"'),
    ):
        response = client.get(path)
        assert response.headers.getlist("WWW-Authenticate") == [challenge]
    response = alice.bearer(PULL).post("/v2/alice/app/blobs/uploads/")
    assert response.headers["WWW-Authenticate"] == base + pushing + lacking
