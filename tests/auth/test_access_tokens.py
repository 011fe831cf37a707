"""Access tokens: their limits and their end."""

from __future__ import annotations

import hashlib
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.support.credentials import bearing
from tests.support.credentials import by_access_token
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]
ALL = "repository:alice/app:pull,push,delete"
JOBS: set[str] = set()


@registry.token_validator
def is_running(job: str) -> bool:
    """Return True if a job is running."""
    return job in JOBS


def every_way(app: Flask, secret: str) -> t.Iterator[tuple[str, RegistryClient]]:
    """Return a client for each kind of credential that an access token leads to."""
    client = RegistryClient(app, basic("alice", secret))
    yield "basic", client
    yield "bearer", client.bearer(ALL)
    kept = log_in(client)["refresh_token"]
    yield "refreshed bearer", bearing(app, refresh(app, kept, ALL))


def test_token_secret_is_shown_once(app: Flask) -> None:
    """The database has only a hash of the secret, and a list shows no more than the
    limits."""
    issued = issue(app, "alice", name="laptop")
    assert issued.secret.startswith("oci_pat_")
    assert issued.secret.isascii()
    assert len(issued.secret) == len("oci_pat_") + 38
    with app.app_context():
        rows = db.session.execute(sa.select(registry.models.Credential.__table__)).all()
        (listed,) = registry.access_tokens.list(user_named("alice"))
    assert len(rows) == 1
    assert issued.secret not in repr(rows)
    assert hashlib.sha256(issued.secret.encode()).hexdigest() in repr(rows)
    assert issued.secret not in repr(listed)
    assert (listed.id, listed.name, listed.kind) == (issued.id, "laptop", "access")


def test_token_secret_with_error_is_refused(app: Flask) -> None:
    """This covers a part of a secret, a changed character and the name of another
    user."""
    secret = issue(app, "alice").secret
    assert RegistryClient(app, basic("alice", secret)).get("/v2/").status_code == 200
    for other in (secret[:-1], secret + "a", secret.upper(), "oci_pat_", secret[8:]):
        response = RegistryClient(app, basic("alice", other)).get("/v2/")
        assert refusal(response) == (401, "UNAUTHORIZED")
    for name in ("bob", "", "Alice", "alice ", "carol"):
        response = RegistryClient(app, basic(name, secret)).get("/v2/")
        assert refusal(response) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("limits", "pulls", "pushes", "deletes"),
    [
        ({}, True, True, True),
        ({"actions": ["pull"]}, True, False, False),
        ({"actions": ["push"]}, True, True, False),
        ({"actions": ["delete"]}, False, False, True),
        ({"actions": ["pull", "delete"]}, True, False, True),
        ({"repositories": ["alice/app"]}, True, True, True),
        ({"repositories": ["alice/*"], "actions": ["pull"]}, True, False, False),
        ({"repositories": ["bob/*", "alice/ap", "lice/app"]}, False, False, False),
        ({"repositories": ["alice"]}, False, False, False),
        ({"repositories": ["bob/*", "alice/a[op]p"]}, True, True, True),
    ],
)
def test_token_with_limits_allows_no_more(
    app: Flask,
    alice: RegistryClient,
    limits: dict[str, t.Any],
    pulls: bool,
    pushes: bool,
    deletes: bool,
) -> None:
    """The limits apply to the token itself, to bearer tokens and to refresh tokens."""
    alice.push_image("alice/app", "v1")
    secret = issue(app, "alice", **limits).secret
    tags, uploads = "/v2/alice/app/tags/list", "/v2/alice/app/blobs/uploads/"
    missing = "/v2/alice/app/manifests/missing"
    for way, client in every_way(app, secret):
        assert client.get(tags).status_code == (200 if pulls else 404), way
        assert client.post(uploads).status_code == (202 if pushes else 403), way
        assert client.delete(missing).status_code == (404 if deletes else 403), way
        if not way.startswith("basic"):
            continue
        granted = client.get("/v2/token", query={"scope": ALL}).get_json()["scope"]
        allowed = {"pull": pulls, "push": pushes, "delete": deletes}
        actions = granted.rpartition(":")[2].split(",")
        assert {a for a, may in allowed.items() if may} == set(filter(None, actions))


def test_token_with_limits_lists_only_its_repositories(
    app: Flask, alice: RegistryClient
) -> None:
    """The catalog, and a token for it, include no repository that the token may not
    pull."""
    for name in ("alice/app", "alice/other", "alice/app2"):
        alice.push_image(name, "v1")
    for limits, listed in (
        ({"repositories": ["alice/app*"]}, ["alice/app", "alice/app2"]),
        ({"actions": ["delete"]}, []),
        ({"repositories": ["bob/*"]}, []),
    ):
        client = by_access_token(app, "alice", **limits)
        for asking in (client, client.bearer("registry:catalog:*")):
            answer = asking.get("/v2/_catalog").get_json()
            assert answer == {"repositories": listed}


def test_token_with_limits_mounts_only_what_it_may_pull(
    app: Flask, alice: RegistryClient
) -> None:
    """A mount does not get content outside of the limits, with or without a source."""
    alice.push_image("alice/secret", "v1")
    limits = {"repositories": ["alice/open", "alice/target"]}
    secret = by_access_token(app, "alice", **limits)
    bearer = secret.bearer(
        "repository:alice/target:pull,push", "repository:alice/secret:pull"
    )
    for client in (secret, bearer):
        for query in (
            {"mount": digest_of(LAYER), "from": "alice/secret"},
            {"mount": digest_of(LAYER)},
        ):
            response = client.post("/v2/alice/target/blobs/uploads/", query=query)
            assert response.status_code == 202
        path = f"/v2/alice/target/blobs/{digest_of(LAYER)}"
        assert client.get(path).status_code == 404
    alice.push_blob("alice/open", CONFIG)
    mounting = bearer.post(
        "/v2/alice/target/blobs/uploads/",
        query={"mount": digest_of(CONFIG), "from": "alice/open"},
    )
    assert mounting.status_code == 201


def test_referrers_of_hidden_manifest_are_hidden(
    app: Flask, alice: RegistryClient
) -> None:
    """The list is hidden like the manifest itself."""
    alice.push_image("alice/secret", "v1")
    client = by_access_token(app, "alice", repositories=["alice/app"])
    path = f"/v2/alice/secret/referrers/{digest_of(LAYER)}"
    assert refusal(client.get(path)) == (404, "NAME_UNKNOWN")


def test_token_without_limits_allows_no_more_than_its_user(
    app: Flask, bob: RegistryClient
) -> None:
    """A token for all repositories is for all repositories that alice may use."""
    bob.push_image("bob/app", "v1")
    client = by_access_token(app, "alice", repositories=["bob/*"])
    assert refusal(client.get("/v2/bob/app/tags/list")) == (404, "NAME_UNKNOWN")
    assert refusal(client.post("/v2/bob/app/blobs/uploads/")) == (403, "DENIED")


@pytest.mark.parametrize("user", ["alice", None])
def test_token_after_revocation_is_refused(app: Flask, user: str | None) -> None:
    """The next request is refused, with every credential from that token."""
    issued, other = issue(app, "alice"), issue(app, "alice")
    ways = dict(every_way(app, issued.secret))
    kept = log_in(ways["basic"])["refresh_token"]
    with app.app_context():
        owner = user and user_named(user)
        assert registry.access_tokens.revoke(issued.id, user=owner)
        assert not registry.access_tokens.revoke(issued.id, user=owner)
    for way, client in ways.items():
        assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED"), way
    assert refresh(app, kept).status_code == 401
    still = RegistryClient(app, basic("alice", other.secret))
    assert still.get("/v2/").status_code == 200


def test_revoke_with_token_of_other_user_does_nothing(app: Flask) -> None:
    """A page may pass the current user and an id from the URL."""
    issued = issue(app, "alice")
    with app.app_context():
        assert not registry.access_tokens.revoke(issued.id, user=user_named("bob"))
        assert not registry.access_tokens.revoke("unknown", user=user_named("alice"))
        assert registry.access_tokens.revoke_all(user_named("bob")) == 0
    client = RegistryClient(app, basic("alice", issued.secret))
    assert client.get("/v2/").status_code == 200


def test_revoke_all_ends_every_token_of_user(app: Flask) -> None:
    """After a change of password, this includes the refresh token that docker keeps."""
    ways = dict(every_way(app, issue(app, "alice").secret))
    kept = log_in(RegistryClient.of(app, "alice"))["refresh_token"]
    others = by_access_token(app, "bob")
    with app.app_context():
        assert registry.access_tokens.revoke_all(user_named("alice")) > 1
        assert registry.access_tokens.list(user_named("alice")) == []
    for way, client in ways.items():
        assert client.get("/v2/").status_code == 401, way
    assert refresh(app, kept).status_code == 401
    assert others.get("/v2/").status_code == 200


EAST = timezone(timedelta(hours=9))


@pytest.mark.parametrize("given", ["timedelta", "UTC", "elsewhere"])
def test_token_after_expiry_is_refused(app: Flask, given: str) -> None:
    """Every credential from that token ends too, whatever the time zone of the
    expiry."""
    now = utcnow()
    end = now + timedelta(hours=1)
    moment = {
        "timedelta": timedelta(hours=1),
        "UTC": end,
        "elsewhere": end.astimezone(EAST),
    }
    issued = issue(app, "alice", expires=moment[given])
    assert issued.expires_at is not None
    assert abs(issued.expires_at - end) < timedelta(minutes=1)
    with time_machine.travel(now + timedelta(minutes=59), tick=False):
        ways = dict(every_way(app, issued.secret))
        kept = log_in(ways["basic"])["refresh_token"]
        for way, client in ways.items():
            assert client.get("/v2/").status_code == 200, way
    with time_machine.travel(now + timedelta(minutes=61), tick=False):
        for way, client in ways.items():
            assert client.get("/v2/").status_code == 401, way
        assert refresh(app, kept).status_code == 401


def test_token_with_validator_ends_with_its_job(app: Flask) -> None:
    """The registry calls the validator at each use, also of credentials from that
    token."""
    JOBS.add("42")
    issued = issue(app, "alice", validator=is_running, context=42)
    ways = dict(every_way(app, issued.secret))
    kept = log_in(ways["basic"])["refresh_token"]
    unbound = issue(app, "alice", validator=is_running, context="43")
    JOBS.discard("42")
    for way, client in ways.items():
        assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED"), way
    assert refresh(app, kept).status_code == 401
    other = RegistryClient(app, basic("alice", unbound.secret))
    assert other.get("/v2/").status_code == 401


def test_token_without_its_validator_is_refused(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token ends if the host no longer has its validator."""
    JOBS.add("44")
    client = by_access_token(app, "alice", validator=is_running, context="44")
    assert client.get("/v2/").status_code == 200
    monkeypatch.setattr(registry._hooks, "validators", {})
    assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED")


def test_list_shows_last_use_of_tokens(app: Flask, admin: Administrator) -> None:
    """The list begins with the newest token. The last use is exact to a minute."""
    now = utcnow()
    with time_machine.travel(now - timedelta(days=1), tick=False):
        old = issue(app, "alice", name="old", repositories=["alice/*"])
    issue(app, "alice", name="new", actions=["pull"])
    with time_machine.travel(now + timedelta(days=1), tick=False):
        RegistryClient(app, basic("alice", old.secret)).get("/v2/")
    with app.app_context():
        new_one, old_one = registry.access_tokens.list(user_named("alice"))
    assert (new_one.name, new_one.actions, new_one.last_used_at) == (
        "new",
        ("pull",),
        None,
    )
    assert (old_one.name, old_one.repositories) == ("old", ("alice/*",))
    used = old_one.last_used_at
    assert used is not None
    assert abs(used - now - timedelta(days=1)) < timedelta(seconds=1)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "limits",
    [
        {"actions": []},
        {"actions": ["admin"]},
        {"actions": ["*"]},
        {"actions": "pull"},
        {"repositories": []},
        {"repositories": [""]},
        {"repositories": "alice/*"},
        {"repositories": ["alice/*"] * 101},
        {"repositories": ["a" * 256]},
        {"expires": datetime(2030, 1, 1)},  # noqa: DTZ001
        {"validator": lambda context: True},
    ],
)
def test_issue_with_invalid_limit_raises(app: Flask, limits: dict[str, t.Any]) -> None:
    """A mistake of the host issues no token, and especially none without a limit."""
    with pytest.raises(ValueError, match=r"'(actions|repositories|expires|validator)'"):
        issue(app, "alice", **limits)
    with app.app_context():
        assert registry.access_tokens.list(user_named("alice")) == []


@pytest.mark.parametrize("token_id", ["", "\0", "\U0001f600", "0" * 33, "G" * 32])
def test_revoke_with_malformed_id_finds_no_token(app: Flask, token_id: str) -> None:
    """No database is asked for an id that it could not compare."""
    with app.app_context():
        assert not registry.access_tokens.revoke(token_id)


def test_revocation_deletes_all_tokens_below_the_token(app: Flask) -> None:
    """Also those that were issued with a token that was itself issued with it."""
    with app.app_context():
        user, ids, parent = user_named("alice"), list[str](), None
        for _ in range(4):
            ids.append(registry.access_tokens.issue(user, parent=parent).id)
            listed = registry.access_tokens.list(user)
            parent = next(token for token in listed if token.id == ids[-1])
        registry.access_tokens.revoke(ids[0])
        assert registry.access_tokens.list(user) == []
