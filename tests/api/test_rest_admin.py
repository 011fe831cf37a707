"""The REST operations of administrators."""

from __future__ import annotations

import logging
import typing as t

import pytest
from flask import Flask

from flask_oci.testing.manifests import Json
from tests.support.credentials import by_access_token
from tests.support.host import registry
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient

DENIED: t.Final = (403, "DENIED")


def refusal(response: t.Any) -> tuple[int, str]:
    """Return the status and the error code of a response."""
    return response.status_code, response.get_json()["errors"][0]["code"]


@pytest.fixture(name="admin")
def _admin(app: Flask, monkeypatch: pytest.MonkeyPatch) -> RestClient:
    """Bob, an administrator."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "bob")
    return RestClient.of(app, "bob")


@pytest.mark.options(oci_webhook_networks=["127.0.0.0/8"], oci_webhook_timeout=20)
def test_webhook_is_managed_over_rest(
    app: Flask,
    admin: RestClient,
    alice: RegistryClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An administrator adds, tests, changes and deletes a webhook, and replays its
    deliveries. Only the first response and the one to a new secret have the secret."""
    caplog.set_level(logging.INFO, "flask_oci.audit")
    with Receiver() as receiver:
        body = {"url": receiver.url, "kinds": ["tag.*"]}
        made = admin.done("POST", "/webhooks", body)
        path = f"/webhooks/{made['id']}"
        assert admin.done("POST", f"{path}/test")["status"] == 204
        alice.push_image("alice/app", "v1")
        with app.app_context():
            assert registry.events.deliver().delivered == 1
        receiver.answer = lambda _: 500
        alice.push_image("alice/app", "v2")
        with app.app_context():
            assert registry.events.deliver().failed == 1
    pending, delivered = admin.items(f"{path}/deliveries?limit=1")
    assert pending["state"] == "pending"
    assert pending["due_at"] is not None
    assert pending["attempts"][0]["error"] == "It answered 500."
    assert delivered["event"]["data"]["tag"] == "v1"
    assert delivered["attempts"][0]["status"] == 204
    assert admin.items(f"{path}/deliveries?state=dead") == []
    keys = [pending["event"]["id"], delivered["event"]["id"]]
    replayed = admin.done("POST", f"{path}/deliveries/replay", {"events": keys})
    assert replayed == {"deliveries": 1}
    changed = admin.done("PATCH", path, {"enabled": False, "repositories": ["a/*"]})
    assert changed == admin.get(path)
    assert (changed["enabled"], changed["kinds"]) == (False, ["tag.*"])
    assert admin.items("/webhooks?limit=1") == [changed]
    renewed = admin.done("POST", f"{path}/secret")
    assert renewed["secret"] != made["secret"]
    assert "secret" not in changed
    admin.done("DELETE", path)
    gone = admin.send("GET", path)
    assert refusal(gone) == (404, "NAME_UNKNOWN")
    audit = [r.message for r in caplog.records if '"webhook-' in r.message]
    assert ["removed" in line for line in audit] == [False] * 4 + [True]
    assert all('"actor": "bob"' in line for line in audit)
    assert made["secret"] not in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://169.254.169.254/"},
        {"url": "http://[::1]/"},
        {"url": "file:///etc/passwd"},
        {"url": "https://user:password@example.org/"},
        {"url": "https://example.org/", "kinds": ["absent.*"]},
    ],
)
def test_webhook_to_invalid_address_is_refused(admin: RestClient, body: Json) -> None:
    """A webhook is neither added with such values nor changed to them."""
    assert refusal(admin.send("POST", "/webhooks", body)) == (422, "UNSUPPORTED")
    good = admin.done("POST", "/webhooks", {"url": "https://example.org/"})
    path = f"/webhooks/{good['id']}"
    assert refusal(admin.send("PATCH", path, body)) == (422, "UNSUPPORTED")
    assert admin.get(path)["url"] == "https://example.org/"


def operations(webhook: str) -> list[tuple[str, str, object]]:
    """Return a request for each operation of administrators."""
    path = f"/webhooks/{webhook}"
    return [
        ("GET", "/webhooks", None),
        ("POST", "/webhooks", {"url": "https://example.org/"}),
        ("GET", path, None),
        ("PATCH", path, {"enabled": False}),
        ("POST", f"{path}/test", None),
        ("POST", f"{path}/secret", None),
        ("GET", f"{path}/deliveries", None),
        ("POST", f"{path}/deliveries/replay", {}),
        ("DELETE", path, None),
        ("GET", "/jobs", None),
        ("GET", "/users/tokens", None),
        ("GET", "/users/bob/tokens", None),
        ("GET", "/users/absent/tokens", None),
        ("DELETE", "/users/bob/tokens", None),
        ("DELETE", f"/users/bob/tokens/{'0' * 32}", None),
    ]


def test_operations_of_administrators_refuse_all_others(
    app: Flask, admin: RestClient, alice: RegistryClient
) -> None:
    """Other users and limited tokens of administrators learn nothing, also not whether
    a webhook exists."""
    made = admin.done("POST", "/webhooks", {"url": "https://example.org/"})
    before = admin.items("/webhooks")
    callers = [alice, by_access_token(app, "bob"), admin.client.bearer()]
    for webhook in (made["id"], "absent"):
        for method, path, body in operations(webhook):
            for caller in callers:
                if caller is alice and path.startswith("/webhooks"):
                    continue
                response = RestClient(caller).send(method, path, body)
                assert refusal(response) == DENIED, path
            if path.startswith("/webhooks/"):
                response = RestClient(alice).send(method, path, body)
                assert refusal(response) == (404, "NAME_UNKNOWN"), path
            anonymous = RestClient(RegistryClient(app))
            response = anonymous.send(method, path, body)
            assert refusal(response) == (401, "UNAUTHORIZED")
    assert admin.items("/webhooks") == before
    assert RestClient(alice).items("/webhooks") == []


def test_administrator_lists_and_revokes_tokens_of_a_user(
    app: Flask, admin: RestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A token of the user is revoked by its id, and then all others, with the tokens
    that were issued for a password. The audit log names both users."""
    caplog.set_level(logging.INFO, "flask_oci.audit")
    first, second = (by_access_token(app, "alice", name=n) for n in ("ci", "laptop"))
    bearer = RegistryClient.of(app, "alice").bearer()
    holders = admin.items("/users/tokens?limit=1")
    assert [(h["user"], h["access"]) for h in holders] == [("alice", 2)]
    path = "/users/alice/tokens"
    found = {t["name"]: t["id"] for t in admin.items(f"{path}?limit=1&kind=access")}
    assert set(found) == {"laptop", "ci"}
    caplog.clear()
    admin.done("DELETE", f"{path}/{found['ci']}")
    assert first.get("/v2/").status_code == 401
    assert second.get("/v2/").status_code == 200
    assert '"actor": "bob"' in caplog.text
    assert '"user": "alice"' in caplog.text
    for wrong in (f"{path}/{found['ci']}", f"/users/bob/tokens/{found['laptop']}"):
        assert refusal(admin.send("DELETE", wrong)) == (404, "NAME_UNKNOWN")
    assert admin.done("DELETE", path) == {"tokens": 1}
    assert second.get("/v2/").status_code == 401
    assert bearer.get("/v2/").status_code == 401
    assert admin.items(path) == []
    missing = admin.send("GET", "/users/absent/tokens")
    assert refusal(missing) == (404, "NAME_UNKNOWN")


def test_administrator_sees_background_jobs(app: Flask, admin: RestClient) -> None:
    """A job that a worker ran has a time and a result; the others are listed too."""
    before = {job["name"]: job for job in admin.get("/jobs")["items"]}
    assert set(before) == {
        *("webhooks", "retention", "collection", "pruning", "verification")
    }
    assert before["collection"]["completed_at"] is None
    with app.app_context():
        registry.work(once=True)
    after = {job["name"]: job for job in admin.get("/jobs")["items"]}
    assert after["collection"]["completed_at"] is not None
    assert after["collection"]["summary"]
    assert after["collection"]["problem"] is None
