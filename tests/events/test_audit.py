"""Audit events: the user, the action, the time and the address."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.events.audit import AuditEvent
from flask_oci.signals import audited
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import basic
from tests.support.credentials import by_access_token
from tests.support.credentials import grant
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import PASSWORDS
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient

Events = list[AuditEvent]
ADDRESS = "192.0.2.7"


@pytest.fixture(name="events")
def _events(app: Flask) -> t.Iterator[Events]:
    """The audit events that the host receives."""
    events: Events = []

    def receive(sender: Flask, event: AuditEvent) -> None:
        assert sender is app
        events.append(event)

    with audited.connected_to(receive):
        yield events


class AddressedClient(RegistryClient):
    """A client whose address is known."""

    def request(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Send a request from the address."""
        environ = {"REMOTE_ADDR": ADDRESS, **(kwargs.pop("environ", None) or {})}
        return super().request(*args, environ=environ, **kwargs)


@pytest.fixture(name="alice")
def _alice(app: Flask) -> AddressedClient:
    """A client signed in as alice, with a known address."""
    return AddressedClient(app, basic("alice", "wonderland"))


def only(events: Events, action: str) -> AuditEvent:
    """Return the only event, which must be of this kind and of now."""
    (event,) = events
    assert event.action == action
    assert abs(event.at - utcnow()) < timedelta(minutes=5)
    assert event.at.tzinfo is not None
    return event


def test_login_is_recorded(events: Events, alice: AddressedClient) -> None:
    """A token request without a scope, as docker login sends it, is recorded."""
    log_in(alice)
    event = only(events, "login")
    assert (event.actor, event.address, event.repository) == ("alice", ADDRESS, None)
    events.clear()
    form = {"username": "alice", "password": "wonderland"}
    grant(AddressedClient(alice.app), grant_type="password", **form)
    assert only(events, "login").actor == "alice"


@pytest.mark.parametrize(
    ("name", "secret", "shown"),
    [
        ("alice", "wrong", "alice"),
        ("nobody", "wrong", "nobody"),
        ("carol", "singer", "carol"),
        ("x\n[root] logged in", "wrong", "x\n[root] logged in"),
        ("oci_pat_mistaken", "x", "(a token)"),
        ("a" * 1000, "x", "a" * 255),
    ],
)
def test_failed_login_is_recorded_without_secret(
    app: Flask,
    events: Events,
    caplog: pytest.LogCaptureFixture,
    name: str,
    secret: str,
    shown: str,
) -> None:
    """The event has the user name, in one line of the log, and no secret that was typed
    instead of it."""
    caplog.set_level("INFO", "flask_oci.audit")
    assert AddressedClient(app, basic(name, secret)).get("/v2/").status_code == 401
    event = only(events, "login-failed")
    assert (event.actor, event.address) == (None, ADDRESS)
    assert event.detail == {"username": shown}
    (line,) = caplog.messages
    assert "\n" not in line
    assert json.loads(line)["detail"] == {"username": shown}


def test_manifest_push_is_recorded(events: Events, alice: AddressedClient) -> None:
    """A push of a manifest is recorded with its tags; pushes of blobs are not."""
    manifest = alice.push_image("alice/app", "v1")
    event = only(events, "push")
    assert (event.actor, event.address) == ("alice", ADDRESS)
    assert event.repository == "alice/app"
    assert event.detail == {"digest": digest_of(manifest), "tags": "v1"}


@pytest.mark.parametrize("what", ["tag", "manifest", "blob"])
def test_deletion_is_recorded(
    events: Events, alice: AddressedClient, what: str
) -> None:
    """A deletion is recorded with the tag or digest."""
    digest = digest_of(alice.push_image("alice/app", "v1"))
    blob = alice.push_blob("alice/app", b"nothing needs this")
    reference = {"tag": "v1", "manifest": digest, "blob": blob}[what]
    place = "blobs" if what == "blob" else "manifests"
    events.clear()
    assert alice.delete(f"/v2/alice/app/{place}/{reference}").status_code == 202
    event = only(events, "delete")
    assert (event.actor, event.address) == ("alice", ADDRESS)
    assert (event.repository, event.detail) == ("alice/app", {"reference": reference})


def test_token_issue_and_revocation_are_recorded(app: Flask, events: Events) -> None:
    """The issue and the revocation are recorded with the id of the token."""
    issued = issue(app, "alice")
    event = only(events, "token-issued")
    assert (event.actor, event.address) == ("alice", None)
    assert event.detail == {"token": issued.id}
    events.clear()
    with app.test_request_context(environ_base={"REMOTE_ADDR": ADDRESS}):
        registry.access_tokens.revoke(issued.id, user=user_named("alice"))
    event = only(events, "token-revoked")
    assert (event.actor, event.address) == ("alice", ADDRESS)
    assert event.detail == {"token": issued.id}
    events.clear()
    with app.app_context():
        assert not registry.access_tokens.revoke(issued.id)
        assert events == []
        registry.access_tokens.revoke_all(user_named("alice"))
    assert only(events, "token-revoked").detail == {"tokens": "all"}


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda by: _change().set_visibility("alice/app", "public", by=by), "public"),
        (lambda by: _change().rename("alice/app", "alice/new", by=by), "alice/app"),
        (lambda by: _change().transfer("alice/app", user_named("bob"), by=by), "bob"),
    ],
    ids=["visibility", "rename", "transfer"],
)
@pytest.mark.parametrize("by", ["alice", None])
def test_permission_change_is_recorded(
    events: Events,
    alice: AddressedClient,
    by: str | None,
    change: t.Callable[[t.Any], object],
    detail: str,
) -> None:
    """A change of visibility, name or owner is recorded with its user, or None for a
    command."""
    alice.push_image("alice/app", "v1")
    events.clear()
    with alice.app.app_context():
        change(by and user_named(by))
    event = only(events, "permission-changed")
    assert event.actor == by
    assert event.repository in ("alice/app", "alice/new")
    assert list(event.detail.values()) == [detail]


def _change() -> t.Any:
    return registry.repositories


def test_refused_request_records_no_event(events: Events, bob: RegistryClient) -> None:
    """A refused request records no event."""
    bob.put_manifest("alice/app", "v1", b'{"mediaType": "x"}')
    bob.put_manifest("bob/app", "v1", b'{"mediaType": "x"}')
    bob.delete("/v2/alice/app/manifests/v1")
    bob.delete("/v2/bob/app/manifests/v1")
    with bob.app.app_context(), pytest.raises(ValueError, match="visibility"):
        _change().set_visibility("bob/app", "everybody")
    assert events == []


def test_events_contain_no_secret(
    app: Flask, alice: AddressedClient, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    """No event, log line or error contains a secret."""
    caplog.set_level("DEBUG")
    kept = log_in(alice)["refresh_token"]
    by_token = by_access_token(app, "alice")
    secrets = [kept, "wonderland", by_token.authorization or ""]
    scope = "repository:alice/app:pull,push"
    for client in (alice, by_token, by_token.bearer(scope), alice.bearer(scope)):
        secrets.append((client.authorization or "").partition(" ")[2])
        client.push_image("alice/app", "v1")
        client.get("/v2/alice/app/tags/list", query={"n": "x"})
        client.get("/v2/bob/app/tags/list")
    refresh(app, kept)
    answers = [
        refresh(app, kept[:-1] + "_"),
        RegistryClient(app, f"Bearer {secrets[-1]}x").get("/v2/"),
        RegistryClient(app, basic("bob", "wonderland")).get("/v2/"),
        grant(RegistryClient(app), grant_type="password", username="x", password=kept),
        grant(RegistryClient(app), grant_type="unknown", refresh_token=kept),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 400]
    told = [*caplog.messages, *map(repr, events), *(a.text for a in answers)]
    told += [repr(answer.headers) for answer in answers]
    for secret in secrets:
        assert not [text for text in told if secret in text]


def test_failed_receiver_affects_no_other(
    app: Flask, events: Events, alice: AddressedClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The client receives success, other receivers run, and the failure is logged."""

    def fail(sender: Flask, event: AuditEvent) -> None:
        raise RuntimeError("the audit's own server is down")

    with audited.connected_to(fail):
        alice.push_image("alice/app", "v1")
        assert alice.delete("/v2/alice/app/manifests/v1").status_code == 202
        wrong = AddressedClient(app, basic("alice", "wrong")).get("/v2/")
        assert wrong.status_code == 401
        secret = issue(app, "alice").secret
    assert RegistryClient(app, basic("alice", secret)).get("/v2/").status_code == 200
    actions = [event.action for event in events]
    assert actions == ["push", "delete", "login-failed", "token-issued"]
    failures = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(failures) == 4
    assert all("own server is down" in (r.exc_text or "") for r in failures)


def test_failed_receiver_is_rolled_back(app: Flask, alice: AddressedClient) -> None:
    """The uncommitted work of a failed receiver is rolled back."""

    def fail(sender: Flask, event: AuditEvent) -> None:
        db.session.add(User(username="robot", password="", is_active=False))
        raise RuntimeError("the audit's own server is down")

    def commit(sender: Flask, event: AuditEvent) -> None:
        db.session.commit()

    with audited.connected_to(fail), audited.connected_to(commit):
        alice.push_image("alice/app", "v1")
    with app.app_context():
        assert {*db.session.scalars(sa.select(User.username))} == {*PASSWORDS}


def test_push_succeeds_although_a_receiver_breaks_the_session(
    app: Flask, alice: AddressedClient
) -> None:
    """The push succeeds although a statement of the receiver fails."""

    def fail(sender: Flask, event: AuditEvent) -> None:
        db.session.add(User(username="alice", password="", is_active=False))
        db.session.flush()

    with app.app_context():
        registry.quotas.set(owner=user_named("alice"), images=5)
    with audited.connected_to(fail):
        alice.push_image("alice/app", "v1")
