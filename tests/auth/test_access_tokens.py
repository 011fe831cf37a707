"""Access tokens: what they reach, and when they end."""

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
    """Tell whether a job runs at this moment."""
    return job in JOBS


def every_way(app: Flask, secret: str) -> t.Iterator[tuple[str, RegistryClient]]:
    """Log in with an access token in each way that lasts."""
    client = RegistryClient(app, basic("alice", secret))
    yield "basic", client
    yield "bearer", client.bearer(ALL)
    kept = log_in(client)["refresh_token"]
    yield "refreshed bearer", bearing(app, refresh(app, kept, ALL))


def test_a_secret_is_shown_once(app: Flask) -> None:
    """The database has a hash of it, and no list shows more than its limits."""
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


def test_a_mistyped_secret_is_nobodys(app: Flask) -> None:
    """Neither a part of it, nor one with another character, nor another's name."""
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
        ({"repositories": ["ALICE/*"]}, False, False, False),
        ({"repositories": ["bob/*", "alice/a[op]p"]}, True, True, True),
    ],
)
def test_a_token_reaches_as_far_as_it_was_made_to(
    app: Flask,
    alice: RegistryClient,
    limits: dict[str, t.Any],
    pulls: bool,
    pushes: bool,
    deletes: bool,
) -> None:
    """By itself, by what it is exchanged for, and by what that is refreshed to."""
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


def test_a_token_lists_what_it_reaches(app: Flask, alice: RegistryClient) -> None:
    """The catalog, and a token for it, has nothing that the token may not pull."""
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


def test_a_token_mounts_from_where_it_may_pull(
    app: Flask, alice: RegistryClient
) -> None:
    """What is outside of its limit does not come in by a mount, named or not."""
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


def test_a_token_sees_no_referrers_of_what_it_may_not_pull(
    app: Flask, alice: RegistryClient
) -> None:
    """A list is hidden as what it is of."""
    alice.push_image("alice/secret", "v1")
    client = by_access_token(app, "alice", repositories=["alice/app"])
    path = f"/v2/alice/secret/referrers/{digest_of(LAYER)}"
    assert refusal(client.get(path)) == (404, "NAME_UNKNOWN")


def test_a_token_does_no_more_than_its_user(app: Flask, bob: RegistryClient) -> None:
    """A token for everything is for everything of alice's."""
    bob.push_image("bob/app", "v1")
    client = by_access_token(app, "alice", repositories=["bob/*"])
    assert refusal(client.get("/v2/bob/app/tags/list")) == (404, "NAME_UNKNOWN")
    assert refusal(client.post("/v2/bob/app/blobs/uploads/")) == (403, "DENIED")


@pytest.mark.parametrize("user", ["alice", None])
def test_a_revoked_token_ends_at_once(app: Flask, user: str | None) -> None:
    """At the next request, in all that it was exchanged for."""
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


def test_nobody_revokes_what_is_somebody_elses(app: Flask) -> None:
    """A page that passes its user and an id from the address is safe."""
    issued = issue(app, "alice")
    with app.app_context():
        assert not registry.access_tokens.revoke(issued.id, user=user_named("bob"))
        assert not registry.access_tokens.revoke("unknown", user=user_named("alice"))
        assert registry.access_tokens.revoke_all(user_named("bob")) == 0
    client = RegistryClient(app, basic("alice", issued.secret))
    assert client.get("/v2/").status_code == 200


def test_all_of_a_users_tokens_end_together(app: Flask) -> None:
    """After a new password, say: with it goes what docker kept of the old one."""
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
def test_a_token_ends_when_it_was_to(app: Flask, given: str) -> None:
    """By itself, in all that it was exchanged for, wherever the clock hangs that the
    moment was read from."""
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


def test_a_token_lives_as_long_as_its_job(app: Flask) -> None:
    """The host is asked at each use, also of what the token was exchanged for."""
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


def test_who_is_not_there_vouches_for_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token ends when the function that it was bound to is gone from the host."""
    JOBS.add("44")
    client = by_access_token(app, "alice", validator=is_running, context="44")
    assert client.get("/v2/").status_code == 200
    monkeypatch.setattr(registry._hooks, "validators", {})
    assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED")


def test_what_is_used_is_known(app: Flask, admin: Administrator) -> None:
    """A list is the newest first, with the last use, within a minute."""
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
        {"expires": datetime(2030, 1, 1)},  # noqa: DTZ001
        {"validator": lambda context: True},
    ],
)
def test_a_limit_that_cannot_be_is_refused(
    app: Flask, limits: dict[str, t.Any]
) -> None:
    """A mistake of the host's makes no token, least of all one without a limit."""
    with pytest.raises(ValueError, match=r"'(actions|repositories|expires|validator)'"):
        issue(app, "alice", **limits)
    with app.app_context():
        assert registry.access_tokens.list(user_named("alice")) == []
