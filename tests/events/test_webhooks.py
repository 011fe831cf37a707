"""Webhooks: formats, selection, order, retries and replays of deliveries."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
import typing as t
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.config import ConfigError
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_CONFIG
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.receiver import Arrived
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import Upkeep
from tests.support.visitor import statements

NAME = "alice/app"

pytestmark = pytest.mark.options(
    oci_webhook_networks=["127.0.0.0/8"],
    oci_webhook_timeout=20,
    oci_external_url="https://forge.example.org",
)


@pytest.fixture(name="receiver")
def _receiver() -> t.Iterator[Receiver]:
    """A server that receives webhook requests."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(name="upkeep")
def _upkeep(app: Flask) -> Upkeep:
    """An administrator of the registry."""
    return Upkeep(app)


def add(upkeep: Upkeep, url: str, *args: str) -> dict[str, str]:
    """Add a webhook, and return its id and its secret."""
    result = upkeep.run("webhooks", "add", "--json", url, *args)
    assert result.exit_code == 0, result.output
    return t.cast("dict[str, str]", json.loads(result.stdout))


def deliver(upkeep: Upkeep, failed: int = 0) -> int:
    """Make the deliveries that are due, and return the number of successes."""
    result = upkeep.run("events", "deliver", "--json")
    assert result.exit_code == (1 if failed else 0), result.output
    told = json.loads(result.stdout)
    assert told["failed"] == failed
    return int(told["delivered"])


def listed(upkeep: Upkeep, *args: str) -> list[dict[str, t.Any]]:
    """Return the rows that a command lists."""
    result = upkeep.run(*args, "--json")
    assert result.exit_code == 0, result.output
    return t.cast("list[dict[str, t.Any]]", json.loads(result.stdout))


# Formats and selection


def test_cloudevents_request_contains_the_event(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """An event is a CloudEvent in structured mode, with all known values."""
    add(upkeep, f"{receiver.url}/hook?to=us")
    manifest = alice.push_image(NAME, "latest")
    assert deliver(upkeep) == 3
    assert receiver.kinds() == ["repository.created", "manifest.pushed", "tag.moved"]
    pushed = receiver.taken[1]
    assert pushed.path == "/hook?to=us"
    assert pushed.headers["content-type"] == "application/cloudevents+json"
    event = pushed.json
    recorded = listed(upkeep, "events", "list", "--kind", "manifest.pushed")[0]
    assert event["specversion"] == "1.0"
    assert event["id"] == recorded["uuid"]
    assert event["source"] == "https://forge.example.org"
    assert event["type"] == "flask-oci.manifest.pushed"
    assert event["subject"] == NAME
    assert event["time"].endswith("Z")
    assert event["datacontenttype"] == "application/json"
    assert event["data"] == {
        "repository": NAME,
        "digest": digest_of(manifest),
        "mediaType": OCI_MANIFEST,
        "artifactType": OCI_CONFIG,
        "size": len(manifest),
        "tags": ["latest"],
        "actor": "alice",
        "address": "127.0.0.1",
        "host": "localhost",
        "method": "PUT",
        "userAgent": event["data"]["userAgent"],
    }
    sequence = [arrived.json["sequence"] for arrived in receiver.taken]
    assert sequence == sorted(sequence)


@pytest.mark.options(oci_events=["*"])
def test_distribution_request_contains_the_notification(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """A receiver of Distribution's notifications understands these."""
    add(upkeep, receiver.url, "--format", "distribution")
    manifest = alice.push_image(NAME, "latest")
    alice.push_manifest(NAME, manifest)
    alice.get(f"/v2/{NAME}/manifests/latest")
    query = {"mount": digest_of(LAYER), "from": NAME}
    alice.post("/v2/alice/other/blobs/uploads/", query=query)
    alice.delete(f"/v2/{NAME}/manifests/latest")
    alice.delete(f"/v2/{NAME}/manifests/{digest_of(manifest)}")
    deliver(upkeep)
    content_type = "application/vnd.docker.distribution.events.v2+json"
    events = []
    for arrived in receiver.taken:
        assert arrived.headers["content-type"] == content_type
        assert set(arrived.json) == {"events"}
        events += arrived.json["events"]
    summary = [
        (e["action"], e["target"].get("tag"), e["target"].get("digest", "")[:10])
        for e in events
    ]
    digest = digest_of(manifest)[:10]
    blobs = [("push", None, e["target"]["digest"][:10]) for e in events[:2]]
    assert summary == [
        *blobs,
        ("push", "latest", digest),
        ("push", None, digest),
        ("pull", "latest", digest),
        ("mount", None, digest_of(LAYER)[:10]),
        ("delete", "latest", ""),
        ("delete", None, digest),
    ]
    push = events[2]
    url = f"https://forge.example.org/v2/{NAME}/manifests/{digest_of(manifest)}"
    assert push["target"] == {
        "mediaType": OCI_MANIFEST,
        "digest": digest_of(manifest),
        "size": len(manifest),
        "length": len(manifest),
        "repository": NAME,
        "tag": "latest",
        "url": url,
    }
    assert push["actor"] == {"name": "alice"}
    assert push["request"]["method"] == "PUT"
    assert push["request"]["host"] == push["source"]["addr"] == "localhost"
    assert push["timestamp"].endswith("Z")
    assert events[5]["target"]["fromRepository"] == NAME
    assert len({e["id"] for e in events}) == len(events)


def test_distribution_request_has_one_event_for_each_tag(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """Each tag of a push is one event, and one request has them all."""
    manifest = alice.push_image(NAME)
    add(upkeep, receiver.url, "--format", "distribution")
    alice.put_manifest(NAME, digest_of(manifest), manifest, query={"tag": ["a", "b"]})
    deliver(upkeep)
    (arrived,) = receiver.taken
    assert [e["target"]["tag"] for e in arrived.json["events"]] == ["a", "b"]
    assert len({e["id"] for e in arrived.json["events"]}) == 2


def test_request_signature_is_valid(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """The signature covers the id, the timestamp and the body."""
    secret = add(upkeep, receiver.url)["secret"]
    alice.push_image(NAME, "latest")
    deliver(upkeep)
    for arrived in receiver.taken:
        key, moment = (arrived.headers[f"webhook-{n}"] for n in ("id", "timestamp"))
        assert key == arrived.json["id"]
        assert abs(int(moment) - utcnow().timestamp()) < 60
        signed = f"{key}.{moment}.".encode() + arrived.body
        mac = hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest()
        assert arrived.headers["webhook-signature"] == "v1," + (
            base64.b64encode(mac).decode()
        )


def test_webhook_receives_selected_kinds_and_names(
    alice: RegistryClient, bob: RegistryClient, upkeep: Upkeep
) -> None:
    """A webhook selects kinds and names, and gets no event from before it was added."""
    alice.push_image("alice/old", "v1")
    with Receiver() as tags, Receiver() as bobs, Receiver() as everything:
        add(upkeep, tags.url, "--kind", "tag.*")
        add(upkeep, bobs.url, "--repository", "bob/*")
        add(upkeep, everything.url)
        alice.push_image(NAME, "v1")
        bob.push_image("bob/app", "v1")
        upkeep.gc()
        assert deliver(upkeep) == 2 + 3 + 7
        assert tags.kinds() == ["tag.moved"] * 2
        assert {a.json["subject"] for a in bobs.taken} == {"bob/app"}
        assert everything.kinds()[-1] == "collection.finished"
        assert "subject" not in everything.taken[-1].json
        assert deliver(upkeep) == 0


def test_rename_is_sent_for_the_old_name(
    app: Flask, alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """A webhook for the old name receives the event of the rename."""
    alice.push_image(NAME, "v1")
    add(upkeep, receiver.url, "--repository", NAME)
    with app.app_context():
        registry.repositories.rename(NAME, "alice/other")
    deliver(upkeep)
    assert receiver.taken[0].json["data"]["formerName"] == NAME


@pytest.mark.options(oci_events=["*"])
def test_names_of_uncovered_repositories_are_left_out(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """The source of a mount and a former name are sent only to webhooks that cover
    those repositories."""
    alice.push_image("alice/secret", "v1")
    with Receiver() as events, Receiver() as notifications, Receiver() as everything:
        shown = ("--repository", "alice/shown*")
        add(upkeep, events.url, *shown)
        add(upkeep, notifications.url, *shown, "--format", "distribution")
        add(upkeep, everything.url)
        query = {"mount": digest_of(LAYER), "from": "alice/secret"}
        alice.post("/v2/alice/shown/blobs/uploads/", query=query)
        with app.app_context():
            registry.repositories.rename("alice/secret", "alice/shown-too")
            registry.repositories.rename("alice/shown-too", "alice/shown-now")
        deliver(upkeep)
    data = [arrived.json["data"] for arrived in events.taken]
    assert not [fields for fields in data if "source" in fields]
    assert [d["formerName"] for d in data if "formerName" in d] == ["alice/shown-too"]
    for receiver, count in ((events, 0), (notifications, 0), (everything, 2)):
        bodies = [a.body for a in receiver.taken if b"alice/secret" in a.body]
        assert len(bodies) == count
        assert receiver.taken


# Retries and order


def test_failed_delivery_is_retried_later(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """Each retry is later, with the same id and body, and a new signature."""
    add(upkeep, receiver.url, "--kind", "manifest.pushed")
    receiver.answer = lambda _: 503
    alice.push_image(NAME, "latest")
    deliver(upkeep, failed=1)
    assert deliver(upkeep) == 0
    with later(timedelta(seconds=11)):
        deliver(upkeep, failed=1)
        assert deliver(upkeep) == 0
    with later(timedelta(seconds=32)):
        receiver.answer = lambda _: 200
        assert deliver(upkeep) == 1
        assert deliver(upkeep) == 0
    first, second, third = receiver.arrived
    assert first.body == second.body == third.body
    assert len({a.headers["webhook-id"] for a in receiver.arrived}) == 1
    assert len({a.headers["webhook-signature"] for a in receiver.arrived}) == 3
    (row,) = [d for d in shown(upkeep) if d["event"]["kind"] == "manifest.pushed"]
    assert (row["state"], row["attempts"]) == ("delivered", 3)
    assert [attempt["status"] for attempt in row["log"]] == [503, 503, 200]
    assert [attempt["error"] is None for attempt in row["log"]] == [False, False, True]


def shown(upkeep: Upkeep) -> list[dict[str, t.Any]]:
    """Return all deliveries there are, the oldest first."""
    events = reversed(listed(upkeep, "events", "list"))
    return [
        delivery
        for event in events
        for delivery in listed(upkeep, "events", "show", str(event["id"]))
    ]


def test_deliveries_of_one_repository_stay_in_order(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """A failed delivery delays later ones of its repository, and of no other."""
    add(upkeep, receiver.url, "--kind", "tag.*")
    for tag in ("one", "two"):
        alice.push_image(NAME, tag)
        alice.push_image("alice/other", tag)

    def answer(arrived: Arrived) -> int:
        return 500 if arrived.json["subject"] == NAME else 200

    receiver.answer = answer
    assert deliver(upkeep, failed=1) == 2
    assert {a.json["subject"] for a in receiver.taken} == {"alice/other"}
    receiver.answer = lambda _: 200
    with later(timedelta(seconds=11)):
        assert deliver(upkeep) == 2
    ours = [a.json["data"]["tag"] for a in receiver.taken if NAME in a.body.decode()]
    assert ours == ["one", "two"]


def test_deliveries_of_a_moved_name_stay_in_order(
    app: Flask, alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """Events of a name that moves to another repository stay in order."""
    add(upkeep, receiver.url, "--kind", "repository.*")
    alice.push_image(NAME, "v1")
    alice.push_image("alice/other", "v1")
    with app.app_context():
        registry.repositories.delete("alice/other")
        registry.repositories.rename(NAME, "alice/other")
    alice.push_image(NAME, "v1")
    refused: list[str] = []

    def answer(arrived: Arrived) -> int:
        if arrived.json["type"].endswith("deleted") and not refused:
            refused.append(arrived.json["id"])
            return 500
        return 200

    receiver.answer = answer
    deliver(upkeep, failed=1)
    assert receiver.kinds() == ["repository.created"] * 2
    with later(timedelta(seconds=11)):
        deliver(upkeep)
    assert receiver.kinds()[2:] == [
        "repository.deleted",
        "repository.renamed",
        "repository.created",
    ]


def test_pending_deliveries_of_one_repository_do_not_delay_others(
    app: Flask, alice: RegistryClient, bob: RegistryClient, upkeep: Upkeep
) -> None:
    """Pending deliveries of one repository do not delay others, except those of a
    repository that has one of its former names."""
    manifest = alice.push_image(NAME)
    kinds = ("tag.*", "repository.*", "collection.*")
    with Receiver() as receiver:
        receiver.answer = lambda a: 500 if a.json.get("subject") == NAME else 200
        add(upkeep, receiver.url, *(f"--kind={kind}" for kind in kinds))
        for number in range(6):
            query = {"tag": [f"v{number}-{each}" for each in range(100)]}
            alice.put_manifest(NAME, digest_of(manifest), manifest, query=query)
        with app.app_context():
            registry.repositories.rename(NAME, "alice/second")
            registry.repositories.rename("alice/second", "alice/third")
        alice.push_image("alice/second", "v1")
        bob.push_image("bob/app", "v1")
        upkeep.gc()
        assert deliver(upkeep, failed=1) == 3
        told = [arrived.json.get("subject") for arrived in receiver.taken]
        assert told == ["bob/app", "bob/app", None]


@pytest.mark.options(oci_webhook_attempts=2)
def test_dead_delivery_is_listed_and_can_be_replayed(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """A dead delivery is listed, delays no other delivery and can be replayed."""
    made = add(upkeep, receiver.url, "--kind", "tag.*")
    receiver.answer = lambda _: 400
    alice.push_image(NAME, "one")
    deliver(upkeep, failed=1)
    assert listed(upkeep, "events", "dead") == []
    with later(timedelta(seconds=11)):
        deliver(upkeep, failed=1)
        (dead,) = listed(upkeep, "events", "dead")
        assert (dead["webhook"], dead["state"]) == (made["id"], "dead")
        assert (dead["event"]["tag"], len(dead["log"])) == ("one", 2)
        assert "It answered 400." in upkeep.run("events", "dead").output
        receiver.answer = lambda _: 200
        alice.push_manifest(NAME, image(LAYER), "two")
        assert deliver(upkeep) == 1
        assert upkeep.run("events", "replay", "--dead").exit_code == 0
        assert deliver(upkeep) == 1
    assert [a.json["data"]["tag"] for a in receiver.taken] == ["two", "one"]
    assert listed(upkeep, "events", "dead") == []


def test_webhook_that_was_never_called_is_not_called_healthy(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """Its state changes with the first delivery."""
    add(upkeep, receiver.url, "--kind", "tag.*")
    assert "no delivery yet" in upkeep.run("webhooks", "list").output
    receiver.answer = lambda _: 503
    alice.push_image(NAME, "one")
    deliver(upkeep, failed=1)
    (known,) = listed(upkeep, "webhooks", "list")
    assert known["has_delivered"] is False
    receiver.answer = lambda _: 204
    with later(timedelta(minutes=2)):
        deliver(upkeep)
    (known,) = listed(upkeep, "webhooks", "list")
    assert known["has_delivered"] is True
    assert "ok" in upkeep.run("webhooks", "list").output.split()


def test_delivery_log_statements_do_not_grow(
    app: Flask, alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """The number of statements does not depend on the number of webhooks, and each
    delivery is listed with its own attempts."""
    hooks = [add(upkeep, f"{receiver.url}/{n}", "--kind", "tag.*") for n in range(3)]
    for number in range(2):
        alice.push_image(NAME, "v1", number=number)
        deliver(upkeep)
        with app.app_context(), statements(app) as sent:
            (event,) = registry.events.latest(1)
            sent.clear()
            rows = registry.events.deliveries_of(event.id)
        assert len(sent) == 2
        assert {row.webhook_id for row in rows} == {hook["id"] for hook in hooks}
        assert [[a.status for a in row.log] for row in rows] == [[204]] * 3


def test_replay_sends_the_same_event_id(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """An event can be replayed to one webhook or to all, with the same id."""
    made = add(upkeep, receiver.url)
    with Receiver() as another:
        add(upkeep, another.url)
        alice.push_image(NAME, "v1")
        deliver(upkeep)
        event = str(listed(upkeep, "events", "list")[0]["id"])
        result = upkeep.run("events", "replay", event, "--webhook", made["id"])
        assert "Scheduled 1 delivery." in result.output
        assert deliver(upkeep) == 1
        upkeep.run("events", "replay", event)
        assert deliver(upkeep) == 2
        assert len(another.taken) == 4
    assert len({a.headers["webhook-id"] for a in receiver.taken}) == 3
    assert len(receiver.taken) == 5
    assert upkeep.run("events", "replay").exit_code == 2
    assert upkeep.run("events", "replay", "--dead", event).exit_code == 2


def test_unresponsive_webhook_is_paused(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """One request shows that a webhook does not respond; its other deliveries wait,
    even if another webhook responds meanwhile."""
    second = threading.Event()

    def answer(_: Arrived) -> int:
        if len(receiver.arrived) == 2:
            second.set()
        return 204

    receiver.answer = answer
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            with connection:
                second.wait(10)

        thread = threading.Thread(target=hang_up)
        thread.start()
        add(upkeep, f"http://127.0.0.1:{server.getsockname()[1]}")
        add(upkeep, receiver.url, "--kind", "tag.*")
        for number in range(3):
            alice.push_image(f"alice/app{number}", "v1")
        assert deliver(upkeep, failed=1) == 3
        thread.join()
    assert deliver(upkeep) == 0
    # Not every database keeps which of them was added first.
    silent, answering = sorted(
        listed(upkeep, "webhooks", "list"), key=lambda hook: hook["url"] == receiver.url
    )
    assert (silent["failures"], answering["failures"]) == (1, 0)
    assert "1 failure" in upkeep.run("webhooks", "list").output
    Webhook = registry.models.Webhook
    moved = sa.update(Webhook).where(Webhook.id == silent["id"])
    with Receiver() as back:
        upkeep.execute(moved.values(url=back.url))
        with later(timedelta(seconds=11)):
            assert deliver(upkeep) == 9
    assert listed(upkeep, "webhooks", "list")[0]["failures"] == 0


@pytest.mark.options(oci_webhook_attempts=1)
def test_undefined_event_does_not_end_a_pause(
    alice: RegistryClient, upkeep: Upkeep
) -> None:
    """An event that the format does not define is no response of the webhook, so the
    pause of a webhook that does not respond keeps growing."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    add(upkeep, f"http://127.0.0.1:{port}", "--format", "distribution")
    alice.push_image("alice/one", "v1")
    assert deliver(upkeep, failed=1) == 1
    alice.push_image("alice/two", "v1")
    with later(timedelta(seconds=11)):
        assert deliver(upkeep, failed=1) == 2
    assert listed(upkeep, "webhooks", "list")[0]["failures"] == 2


def test_redirect_is_not_followed(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """The target of a redirect may be any address."""
    add(upkeep, receiver.url, "--kind", "tag.*")
    receiver.answer = lambda _: 307
    alice.push_image(NAME, "v1")
    deliver(upkeep, failed=1)
    assert [arrived.path for arrived in receiver.arrived] == ["/"]


@pytest.mark.options(oci_webhook_timeout=1)
def test_slow_response_ends_at_the_timeout(
    alice: RegistryClient, upkeep: Upkeep
) -> None:
    """The timeout limits the whole request, however slowly bytes arrive."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 ")
                with contextlib.suppress(OSError):
                    while not stop.wait(0.1):
                        connection.sendall(b"2")

        thread = threading.Thread(target=drip)
        thread.start()
        add(upkeep, f"http://127.0.0.1:{server.getsockname()[1]}", "--kind", "tag.*")
        alice.push_image(NAME, "v1")
        deliver(upkeep, failed=1)
        stop.set()
        thread.join()
    (row,) = [d for d in shown(upkeep) if d["log"]]
    assert row["log"][0]["status"] is None
    assert "no response within 1 s" in row["log"][0]["error"]


def test_event_with_pending_delivery_is_not_pruned(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """An event with a pending delivery is kept, and is deleted with the webhook."""
    made = add(upkeep, receiver.url)
    alice.push_image(NAME, "v1")
    with later(timedelta(days=40)):
        assert "Deleted 0 events" in upkeep.run("events", "prune").output
        receiver.answer = lambda _: 500
        deliver(upkeep, failed=1)
        assert "Deleted 0 events" in upkeep.run("events", "prune").output
        assert upkeep.run("webhooks", "remove", made["id"]).exit_code == 0
        assert "Deleted 3 events" in upkeep.run("events", "prune").output
    assert upkeep.rows("Delivery") == upkeep.rows("DeliveryAttempt") == 0
    again = upkeep.run("webhooks", "remove", made["id"])
    assert again.exit_code == 1
    assert "There is no webhook" in again.output


def test_old_delivered_event_is_pruned(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """An old event is deleted with its deliveries and attempts."""
    add(upkeep, receiver.url)
    alice.push_image(NAME, "v1")
    deliver(upkeep)
    assert upkeep.rows("DeliveryAttempt") == 3
    with later(timedelta(days=31)):
        assert "Deleted 3 events" in upkeep.run("events", "prune").output
    assert upkeep.rows("Delivery") == upkeep.rows("DeliveryAttempt") == 0


# Secrets and invalid input


def test_secret_is_shown_only_when_added(upkeep: Upkeep, receiver: Receiver) -> None:
    """No list contains it."""
    secret = add(upkeep, receiver.url)["secret"]
    shown_again = upkeep.run("webhooks", "list", "--json").output
    assert secret not in shown_again + upkeep.run("webhooks", "list").output
    with upkeep.app.app_context():
        (webhook,) = registry.events.webhooks()
    assert webhook.secret == secret
    assert secret not in repr(webhook)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "arguments",
    [
        ["ftp://example.org/"],
        ["https://"],
        ["example.org"],
        ["https://user:secret@example.org/"],
        ["https://example.org/#here"],
        ["https://example.org:99999/"],
        ["https://example.org:0/"],
        ["https://example.org/\r\nX: y"],
        ["https://exämple.org/"],
        ["https://example.org/" + 2000 * "a"],
        ["https://example.org/", "--kind", "tags"],
        ["https://example.org/", "--repository", ""],
        ["http://10.0.0.1/"],
        ["http://[::1]/"],
        ["http://[fe80::1]/"],
    ],
    ids=lambda a: a[-1][:30],
)
def test_invalid_webhook_is_refused(upkeep: Upkeep, arguments: list[str]) -> None:
    """The error names the invalid value."""
    result = upkeep.run("webhooks", "add", *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert listed(upkeep, "webhooks", "list") == []


@pytest.mark.parametrize("wrong", ["10.0.0.0/8", ["ten"], [b"x"], 5])
def test_invalid_webhook_networks_stop_the_application(
    make_app: MakeApp, wrong: object
) -> None:
    """An invalid network stops the application."""
    with pytest.raises(ConfigError, match="OCI_WEBHOOK_NETWORKS"):
        make_app(OCI_WEBHOOK_NETWORKS=wrong)


# Further promises of the page


def test_retry_pause_doubles_up_to_an_hour(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """Each pause is about twice as long as the last, and at most an hour."""
    add(upkeep, receiver.url, "--kind", "manifest.pushed")
    receiver.answer = lambda _: 503
    alice.push_image(NAME, "latest")
    with time_machine.travel(utcnow(), tick=False) as clock:
        for longest in (*(10 * 2**n for n in range(9)), 3600, 3600, 3600):
            deliver(upkeep, failed=1)
            # Half of each pause is random.
            clock.shift(timedelta(seconds=longest / 2 - 1))
            assert deliver(upkeep) == 0
            clock.shift(timedelta(seconds=longest / 2 + 2))
        receiver.answer = lambda _: 200
        assert deliver(upkeep) == 1
    assert len(receiver.arrived) == 13


def test_event_undefined_in_distribution_is_skipped(
    app: Flask, alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """It is not sent in that format, and delays no later event."""
    alice.push_image(NAME, "v1")
    add(upkeep, receiver.url, "--format", "distribution")
    with app.app_context():
        registry.repositories.rename(NAME, "alice/other")
        registry.repositories.set_visibility("alice/other", "public")
        registry.repositories.transfer("alice/other", user_named("bob"))
    deliver(upkeep)
    assert receiver.arrived == []
    alice.push_image("alice/new", "v2")
    deliver(upkeep)
    (arrived,) = receiver.arrived
    (event,) = arrived.json["events"]
    assert (event["action"], event["target"]["tag"]) == ("push", "v2")


# Changes and tests


def test_test_notification_is_signed_and_stored_nowhere(
    upkeep: Upkeep, receiver: Receiver
) -> None:
    """A test is sent at once, and its answer is printed. It is not an event."""
    made = add(upkeep, receiver.url)
    other = add(upkeep, receiver.url, "--format", "distribution")
    result = upkeep.run("webhooks", "test", made["id"])
    assert result.exit_code == 0
    assert "It answered 204." in result.output
    (arrived,) = receiver.taken
    assert arrived.json["type"] == "flask-oci.webhook.test"
    key = arrived.headers["webhook-id"]
    signed = f"{key}.{arrived.headers['webhook-timestamp']}.".encode() + arrived.body
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    mac = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    assert arrived.headers["webhook-signature"] == f"v1,{mac}"
    upkeep.run("webhooks", "test", other["id"])
    assert receiver.taken[1].json == {"events": []}
    receiver.answer = lambda _: 500
    result = upkeep.run("webhooks", "test", made["id"], "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == "It answered 500."
    assert upkeep.run("webhooks", "test", "absent").exit_code == 1
    assert listed(upkeep, "events", "list") == []


def test_test_notification_reaches_only_allowed_addresses(
    make_app: MakeApp, receiver: Receiver
) -> None:
    """A name that resolves to a private address is refused, as for a delivery."""
    upkeep = Upkeep(make_app(oci_webhook_networks=[]))
    made = add(upkeep, f"http://localhost:{receiver.port}/")
    result = upkeep.run("webhooks", "test", made["id"])
    assert result.exit_code == 1
    assert "is not a public address" in result.output
    assert receiver.arrived == []


def test_disabled_webhook_receives_only_events_of_enabled_times(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """Earlier events wait until it is enabled. Events in between are not delivered."""
    key = add(upkeep, receiver.url, "--kind", "tag.*")["id"]
    alice.push_image(NAME, "before")
    assert upkeep.run("webhooks", "disable", key).exit_code == 0
    assert listed(upkeep, "webhooks", "list")[0]["disabled_at"] is not None
    alice.push_image(NAME, "between")
    assert deliver(upkeep) == 0
    assert upkeep.run("webhooks", "enable", key).exit_code == 0
    alice.push_image(NAME, "after")
    assert deliver(upkeep) == 2
    tags = [arrived.json["data"]["tag"] for arrived in receiver.taken]
    assert tags == ["before", "after"]


def test_edited_webhook_selects_later_events_and_keeps_its_secret(
    alice: RegistryClient, upkeep: Upkeep, receiver: Receiver
) -> None:
    """Only the given values change. Invalid ones are refused as for a new webhook."""
    key = add(upkeep, "https://example.org/hook", "--kind", "tag.*")["id"]
    with upkeep.app.app_context():
        secret = registry.events.webhooks()[0].secret
    change = ("--url", receiver.url, "--kind", "repository.*")
    assert upkeep.run("webhooks", "edit", key, *change).exit_code == 0
    alice.push_image(NAME, "latest")
    assert deliver(upkeep) == 1
    assert receiver.kinds() == ["repository.created"]
    for wrong in (("--url", "http://10.0.0.1/"), ("--kind", "absent.*"), ()):
        assert upkeep.run("webhooks", "edit", key, *wrong).exit_code > 0
    with upkeep.app.app_context():
        (webhook,) = registry.events.webhooks()
        assert webhook.url == receiver.url
        assert webhook.repositories == ("*",)
        assert webhook.secret == secret
    replaced = upkeep.run("webhooks", "rotate-secret", key).stdout.strip()
    with upkeep.app.app_context():
        assert registry.events.webhooks()[0].secret == replaced != secret
