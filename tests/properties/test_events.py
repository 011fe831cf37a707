"""Delivery of events: every event arrives in the order of its repository.

A process ends at a random statement, the webhook refuses or loses its answer, and
another process continues.

"""

from __future__ import annotations

import contextlib
import random
import threading
import typing as t
from collections import defaultdict
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing import Faults
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from tests.support.forge import wait_until
from tests.support.host import db
from tests.support.host import registry
from tests.support.receiver import Arrived
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.options(
    oci_webhook_networks=["127.0.0.0/8"], oci_webhook_timeout=20
)

NAMES = ("alice/one", "alice/two", "alice/three")


class Killed(BaseException):
    """The end of a process, which no code in the process catches."""


class Teller:
    """A process that delivers events until it ends.

    :param dice: decides when it ends.

    """

    def __init__(self, app: Flask, dice: random.Random) -> None:
        self.app = app
        self.dice = dice

    def work(self) -> None:
        """Deliver due events, and possibly end at some statement."""
        with (
            self.app.app_context(),
            Faults(self.app).database(self._moment(), Killed),
            contextlib.suppress(Killed),
        ):
            registry.events.deliver()

    def _moment(self) -> int:
        return self.dice.choice((self.dice.randrange(60), 10_000))


@pytest.mark.parametrize(
    "seed",
    [
        *range(2),
        *(pytest.param(seed, marks=pytest.mark.sqlite_only) for seed in range(2, 6)),
    ],
)
def test_every_event_arrives_in_order(
    app: Flask, alice: RegistryClient, seed: int
) -> None:
    """Each event arrives at least once. The first arrivals of a repository are in the
    order of its changes."""
    dice = random.Random(seed)

    def answer(arrived: Arrived) -> int:
        return dice.choice((200, 200, 200, 500, 404))

    for name in NAMES:
        alice.push_image(name)
    now = utcnow()
    with Receiver(answer) as receiver, time_machine.travel(now, tick=False) as clock:
        with app.app_context():
            registry.events.add_webhook(receiver.url)
        teller = Teller(app, dice)
        for step in range(12):
            name = dice.choice(NAMES)
            alice.push_manifest(
                name, image(LAYER, number=step), f"t{dice.randrange(3)}"
            )
            if dice.random() < 0.3:
                alice.delete(f"/v2/{name}/manifests/t0")
            teller.work()
            clock.shift(timedelta(seconds=dice.choice((0, 5, 40))))
        receiver.answer = lambda _: 200
        while pending(app):
            clock.shift(timedelta(hours=1))
            with app.app_context():
                registry.events.deliver()
        expected = recorded(app, receiver)
        assert receiver.first_arrivals() == expected
    assert sum(map(len, expected.values())) > 12


def pending(app: Flask) -> bool:
    """Return True if any event is not delivered yet."""
    with app.app_context():
        counts = registry.events.counts()
    assert counts["dead"] == 0
    return bool(counts["pending"] or counts["unassigned"])


def recorded(app: Flask, receiver: Receiver) -> dict[str, list[str]]:
    """Return the events of each repository since the webhook was added."""
    with app.app_context():
        (webhook,) = registry.events.webhooks()
        events = registry.events.latest(1000)
    found: dict[str, list[str]] = defaultdict(list)
    for event in reversed(events):
        if event.id > webhook.after_id:
            found[t.cast(str, event.repository)].append(event.uuid)
    return found


def shorten_leases(span: timedelta) -> None:
    """Let leases end earlier. A server of a database has a clock of its own."""
    Delivery = registry.models.Delivery
    held = sa.select(Delivery.id, Delivery.leased_until)
    ends = {key: end - span for key, end in db.session.execute(held) if end}
    for key, end in ends.items():
        db.session.execute(
            sa.update(Delivery).where(Delivery.id == key).values(leased_until=end)
        )
    db.session.commit()


def test_delivery_of_ended_process_is_repeated(
    app: Flask, alice: RegistryClient
) -> None:
    """Another process repeats the delivery after its lease has expired."""
    with Receiver() as receiver:
        with app.app_context():
            registry.events.add_webhook(receiver.url, kinds=["tag.*"])
        alice.push_image(NAMES[0], "v1")

        def die(_: Arrived) -> int:
            receiver.answer = lambda _: 200
            fault._left = 0
            return 200

        receiver.answer = die
        with (
            app.app_context(),
            Faults(app).database(10_000, Killed) as fault,
            pytest.raises(Killed),
        ):
            registry.events.deliver()
        assert len(receiver.taken) == 1
        with app.app_context():
            assert registry.events.deliver() == (0, 0)
        with app.app_context():
            shorten_leases(timedelta(seconds=60))
            assert registry.events.deliver() == (1, 0)
    first, second = receiver.taken
    assert first.body == second.body


def arrived(receiver: Receiver, count: int) -> bool:
    """Return True if the webhook has that many events."""
    return len(receiver.taken) == count


def test_follow_delivers_until_stopped(app: Flask, alice: RegistryClient) -> None:
    """The thread delivers new events, survives a short failure of the database, and
    ends when it is stopped."""
    stop = threading.Event()

    def follow() -> None:
        with app.app_context(), Faults(app).database(0) as fault:
            registry.events.follow(stop, interval=0.01)
        assert fault.happened

    with Receiver() as receiver:
        with app.app_context():
            registry.events.add_webhook(receiver.url, kinds=["tag.*"])
        thread = threading.Thread(target=follow)
        thread.start()
        for number in range(3):
            alice.push_image(NAMES[0], f"t{number}")
            told = number + 1
            wait_until(partial(arrived, receiver, told), 30, "telling")
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def test_parallel_processes_deliver_each_event_once(
    app: Flask, alice: RegistryClient
) -> None:
    """The events of one repository arrive in order."""
    with Receiver() as receiver:
        with app.app_context():
            registry.events.add_webhook(receiver.url)
        for number in range(5):
            for name in NAMES:
                alice.push_image(name, f"t{number}")

        def tell() -> None:
            with app.app_context():
                while pending(app):
                    registry.events.deliver()

        threads = [threading.Thread(target=tell) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert receiver.first_arrivals() == recorded(app, receiver)
        ids = [arrived.json["id"] for arrived in receiver.taken]
        assert len(ids) == len(set(ids)) == 3 + 5 * 3 * 2


def test_events_have_the_order_of_the_commits(
    app: Flask, alice: RegistryClient
) -> None:
    """If clients push to one repository at the same time, its events have the order in
    which the tag moved."""
    for number in range(8):
        alice.push_image(NAMES[0], number=number)

    def push(number: int) -> None:
        client = RegistryClient.of(app, "alice")
        for _ in range(3):
            client.push_manifest(NAMES[0], image(LAYER, number=number), "latest")

    threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        moves = reversed(registry.events.latest(1000, kind="tag.moved"))
    at = None
    for move in moves:
        assert move.data.get("former_digest") == at
        at = move.data["digest"]
    manifest = alice.head(f"/v2/{NAMES[0]}/manifests/latest")
    assert manifest.headers["Docker-Content-Digest"] == at
