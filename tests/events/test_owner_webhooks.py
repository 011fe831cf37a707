"""Webhooks of owners: what they receive, and their bounds."""

from __future__ import annotations

import json
import threading
import typing as t
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from flask_oci.catalog.webhook_info import WebhookInfo
from flask_oci.clock import utcnow
from flask_oci.events import owners
from flask_oci.events import webhooks
from flask_oci.events.turns import MAX_OF_OWNERS
from flask_oci.events.turns import MAX_SLOW
from flask_oci.events.turns import SLOW
from flask_oci.events.turns import Turns
from flask_oci.signals import audited
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import registry
from tests.support.receiver import Arrived
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.upkeep import later
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

NAME = "alice/app"
PUBLIC = "https://ci.example.org/hook"
WEBHOOKS = "/images/-/webhooks"

pytestmark = pytest.mark.options(
    oci_owner_webhook_networks=["127.0.0.0/8"],
    oci_webhook_networks=["10.0.0.0/8", "127.0.0.0/8"],
    oci_events=["manifest.*", "tag.*", "repository.*"],
)


@pytest.fixture(name="receiver")
def _receiver() -> t.Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def add(app: Flask, url: str, scope: str, owner: str = "alice") -> str:
    """Add a webhook of a user, and return its id."""
    with app.app_context():
        user = user_named(owner)
        made = registry.events.add_webhook(url, repositories=[scope], owner=user)
        return made.id


def deliver(app: Flask) -> tuple[int, int]:
    """Make the deliveries that are due."""
    with app.app_context():
        return tuple(registry.events.deliver())  # type: ignore[return-value]


def test_user_manages_own_webhooks_over_rest_and_no_others(
    app: Flask, alice: RegistryClient, receiver: Receiver
) -> None:
    """The secret is shown once, and a webhook of another user does not exist."""
    alice.push_image(NAME, "1")
    client, other = RestClient.of(app, "alice"), RestClient.of(app, "bob")
    body = {"url": receiver.url, "repositories": [NAME]}
    for scope in ([NAME], ["alice/*"], ["*"], ["bob/app"], [NAME, "alice/x"], ["a*"]):
        refused = other.send("POST", "/webhooks", {**body, "repositories": scope})
        assert refused.status_code == 422, scope
    made = client.send("POST", "/webhooks", body).get_json()
    with app.app_context():
        site = registry.events.add_webhook(PUBLIC)
    (listed,) = client.items("/webhooks")
    assert (listed["id"], listed["owner"]) == (made["id"], "alice")
    assert made["secret"] not in json.dumps(listed)
    assert other.items("/webhooks") == []
    for key in (made["id"], site.id):
        for method, path, sent in (
            ("GET", "", None),
            ("PATCH", "", {"enabled": False}),
            ("DELETE", "", None),
            ("POST", "/test", None),
            ("POST", "/secret", None),
            ("GET", "/deliveries", None),
            ("POST", "/replay", {}),
        ):
            answer = other.send(method, f"/webhooks/{key}{path}", sent)
            assert answer.status_code == 404, path
    place = f"/webhooks/{made['id']}"
    answer = client.send("POST", f"{place}/test").get_json()
    assert answer["status"] == 204
    assert client.send("POST", f"{place}/test").status_code == 429
    assert client.get(place)["accepted_at"] is not None
    wrong = client.send("PATCH", place, {"repositories": ["bob/app"]})
    assert wrong.status_code == 422
    changed = client.send("PATCH", place, {"repositories": ["alice/*"]})
    assert changed.get_json()["repositories"] == ["alice/*"]
    alice.push_image("alice/new", "1")
    assert deliver(app)[0] == 3
    shown = client.items(f"{place}/deliveries")
    assert {row["event"]["repository"] for row in shown} == {"alice/new"}


def test_user_manages_own_webhooks_on_pages(
    app: Flask, alice: RegistryClient, receiver: Receiver
) -> None:
    alice.push_image(NAME, "1")
    visitor = Visitor(app, "alice")
    assert "Webhooks" in visitor.get("/images/").links
    assert f'value="{NAME}"' in visitor.get(f"{WEBHOOKS}/new", repository=NAME).html
    form = {"url": receiver.url, "format": "cloudevents", "kinds": "tag.*"}
    refused = visitor.send(WEBHOOKS, **form, repositories="bob/app")
    assert (refused.status, "do not manage" in refused.text) == (422, True)
    made = visitor.send(WEBHOOKS, **form, repositories=NAME)
    assert "Copy it now." in made.text
    listed = visitor.get(WEBHOOKS)
    assert "no delivery yet" in listed.text
    (place,) = [
        link
        for link in listed.links.values()
        if "/-/webhooks/" in link and not link.endswith("/new")
    ]
    done = visitor.send(f"{place}/test")
    assert "The test was accepted" in visitor.get(str(done.location)).text
    page = visitor.get(WEBHOOKS).text
    assert "tested" in page
    assert "no delivery yet" not in page
    for name in ("bob", None):
        assert Visitor(app, name).status(place) == 404


@pytest.mark.options(oci_owner_webhooks=None)
def test_site_can_leave_webhooks_to_administrators(
    app: Flask, alice: RegistryClient
) -> None:
    alice.push_image(NAME, "1")
    visitor = Visitor(app, "alice")
    assert visitor.status(WEBHOOKS) == 404
    assert "Webhooks" not in visitor.get("/images/").links
    with pytest.raises(ValueError, match="Only administrators"):
        add(app, PUBLIC, NAME)


def test_owner_receives_events_only_while_managing_the_repository(
    app: Flask, alice: RegistryClient, bob: RegistryClient, receiver: Receiver
) -> None:
    """The permission is that of the time of the delivery."""
    alice.push_image(NAME, "1")
    key = add(app, receiver.url, "alice/*")
    alice.push_image(NAME, "2", layer=b"2")
    alice.pull(NAME, "2")
    assert deliver(app) == (3, 0)
    for request in receiver.taken:
        assert not {"address", "userAgent", "host", "method"} & {*request.json["data"]}
    assert "actor" not in receiver.taken[-1].json["data"]
    receiver.taken.clear()
    alice.push_image(NAME, "3", layer=b"3")
    with app.app_context():
        registry.repositories.transfer(NAME, user_named("bob"))
    bob.push_image(NAME, "hushed", layer=b"4")
    assert deliver(app) == (0, 0)
    with app.app_context():
        registry.repositories.delete(NAME)
    deliver(app)
    assert receiver.kinds() == ["repository.deleted"]
    page = Visitor(app, "alice").get(f"{WEBHOOKS}/{key}").text
    assert "hushed" not in page
    assert Upkeep(app).rows("Delivery") == 4
    Administrator(app).delete_user("alice")
    assert [Upkeep(app).rows(name) for name in ("Webhook", "Delivery")] == [0, 0]
    assert Upkeep(app).rows("DeliveryAttempt") == 0


def test_networks_of_the_site_are_not_open_to_owners(
    app: Flask, alice: RegistryClient
) -> None:
    """An operator allows them for webhooks of administrators."""
    alice.push_image(NAME, "1")
    with pytest.raises(ValueError, match=r'OCI_OWNER_.* \["10\.0\.0\.1/32"\]'):
        add(app, "http://10.0.0.1/", NAME)
    with app.app_context():
        registry.events.add_webhook("http://10.0.0.1/")


@pytest.mark.options(oci_owner_webhook_networks=[], oci_webhook_networks=[])
def test_owner_learns_no_address_of_a_private_network(
    app: Flask, alice: RegistryClient
) -> None:
    """Nor whether a host name exists there. An administrator sees both."""
    alice.push_image(NAME, "1")
    said: set[str | None] = set()
    with app.app_context():
        for host in ("localhost", "missing.invalid"):
            key = add(app, f"http://{host}:1/", NAME)
            with time_machine.travel(utcnow() + timedelta(minutes=len(said) + 1)):
                attempt = registry.events.send_test(key)
            assert attempt is not None
            said.add(attempt.error)
        by_site = registry.events.add_webhook("http://localhost:1/")
        attempt = registry.events.send_test(by_site.id)
        assert attempt is not None
        assert "127.0.0.1" in str(attempt.error)
    assert said == {"The host name has no address that webhooks of users may reach."}


@pytest.mark.options(oci_owner_webhooks=2)
def test_numbers_of_webhooks_and_pending_deliveries_are_bounded(
    app: Flask,
    alice: RegistryClient,
    monkeypatch: pytest.MonkeyPatch,
    receiver: Receiver,
) -> None:
    alice.push_image(NAME, "1")
    monkeypatch.setattr(webhooks, "MAX_PER_SCOPE", 1)
    monkeypatch.setattr("flask_oci.events.delivery.MAX_PENDING", 1)
    key = add(app, receiver.url, NAME)
    with pytest.raises(ValueError, match=f"{NAME} has 1 webhook"):
        add(app, receiver.url, NAME)
    add(app, PUBLIC, "alice/*")
    with pytest.raises(ValueError, match="You have 2 webhooks"):
        add(app, PUBLIC, "alice/docs/*")
    receiver.answer = lambda _: 500
    alice.push_image(NAME, "2", layer=b"2")
    deliver(app)
    alice.push_image(NAME, "3", layer=b"3")
    deliver(app)
    with app.app_context():
        waiting = registry.events.deliveries(key, state="pending")
    assert {row.event.data.get("tag") for row in waiting} <= {None, "2"}
    with app.app_context():
        registry.events.change_webhook(key, enabled=False)
    with later(timedelta(days=40)), app.app_context():
        assert registry.events.prune() > 0


def test_slow_receiver_of_an_owner_delays_no_other(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """The slow one answers only after the others have received their events."""
    received, arrived = set[str](), threading.Event()

    def answer(request: Arrived) -> int:
        if request.path == "/slow":
            return 204 if arrived.wait(8) else 500
        received.add(request.path)
        if received >= {"/bob", "/site"}:
            arrived.set()
        return 204

    alice.push_image(NAME, "1")
    bob.push_image("bob/app", "1")
    with Receiver(answer) as receiver:
        add(app, f"{receiver.url}/slow", NAME)
        add(app, f"{receiver.url}/bob", "bob/app", "bob")
        with app.app_context():
            registry.events.add_webhook(f"{receiver.url}/site")
        alice.push_image(NAME, "2", layer=b"2")
        bob.push_image("bob/app", "2", layer=b"2")
        assert deliver(app)[1] == 0


def webhook(owner: int | None, key: str, failures: int = 0) -> WebhookInfo:
    """Return a webhook of an owner, or of the site."""
    return WebhookInfo(
        key, "", "", (), (), 0, utcnow(), failures, None, None, "", owner_id=owner
    )


def test_turns_are_fair_to_owners_and_keep_places_for_the_site() -> None:
    """An owner has one request at a time, and slow receivers share a few places."""
    turns = Turns()
    greedy = [webhook(1, f"1-{n}") for n in range(5)]
    queue = [*greedy, webhook(2, "2"), webhook(None, "site")]
    running: list[WebhookInfo] = []
    while chosen := turns.next(queue, running):
        running.append(chosen)
    assert [each.id for each in running] == ["1-0", "2", "site"]
    assert [each.id for each in turns.order(queue + running)][-1] == "site"
    crowd = [webhook(n, str(n)) for n in range(MAX_OF_OWNERS)]
    assert turns.next([webhook(99, "99")], crowd) is None
    assert turns.next([webhook(None, "a")], crowd) is not None
    slow = [webhook(n, f"s{n}") for n in range(MAX_SLOW + 1)]
    for each in slow[1:]:
        turns.note(each, SLOW)
    failing = webhook(50, "f", failures=1)
    assert turns.next([slow[-1]], [failing, *slow[1:-1]]) is None
    turns.note(slow[-1], 10)
    assert turns.next([slow[-1]], [failing, *slow[1:-1]]) is not None


def test_webhook_of_an_owner_that_fails_for_days_is_disabled(
    app: Flask, alice: RegistryClient, receiver: Receiver
) -> None:
    """The owner and the log learn it, and nothing is pending any more."""
    alice.push_image(NAME, "1")
    key = add(app, receiver.url, NAME)
    receiver.answer = lambda _: 500
    alice.push_image(NAME, "2", layer=b"2")
    deliver(app)
    said = []
    with (
        audited.connected_to(lambda _, event: said.append(event)),
        later(owners.DISABLED_AFTER),
    ):
        deliver(app)
        assert deliver(app) == (0, 0)
    (event,) = [each for each in said if each.action == "webhook-disabled"]
    assert (event.detail["webhook"], event.detail["owner"]) == (key, "alice")
    assert "500" in event.detail["reason"]
    with app.app_context():
        assert registry.events.deliveries(key, state="pending") == []
    visitor = Visitor(app, "alice")
    page = visitor.get(f"{WEBHOOKS}/{key}")
    assert "disabled, because it failed for days" in page.text
    visitor.send(f"{WEBHOOKS}/{key}/state", enabled="yes")
    receiver.answer = lambda _: 204
    alice.push_image(NAME, "3", layer=b"3")
    assert deliver(app) == (2, 0)
