"""A process that delivers events, killed again and again."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import typing as t
from collections import defaultdict
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME
from tests.support.forge import wait_until
from tests.support.paths import ROOT
from tests.support.receiver import Arrived
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.real

SETTINGS = {
    "OCI_WEBHOOK_NETWORKS": '["127.0.0.0/8"]',
    "OCI_WEBHOOK_TIMEOUT": "1",
    # Only the processes of this test deliver.
    "OCI_WORK": "null",
}
KILLS = 5
NAMES = ("alice/one", "alice/two")


@pytest.fixture(name="forge_app")
def _forge_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Flask]:
    """The example forge, on the same files as the processes that deliver."""
    from example_app import create_app
    from example_app.models import db

    for name, text in {**SETTINGS, "EXAMPLE_INSTANCE": str(tmp_path)}.items():
        monkeypatch.setenv(name, text)
    app = create_app()
    yield app
    with app.app_context():
        db.engine.dispose()


@contextlib.contextmanager
def delivering() -> t.Iterator[subprocess.Popen[bytes]]:
    """Run ``flask oci events deliver --follow``, and kill it in the end."""
    command = ("flask", "--app", "example_app", "oci", "events", "deliver", "--follow")
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ.copy(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_kills(forge_app: Flask) -> None:
    """However often the process is killed, in the middle of a request or between two,
    every event arrives, and those of one repository in order."""
    from example_app.registry import registry

    client = RegistryClient(forge_app, basic(USERNAME, PASSWORD))
    client = client.bearer(*(f"repository:{name}:pull,push" for name in NAMES))
    for name in NAMES:
        client.push_image(name)
    dice = random.Random(1)
    with Receiver() as receiver:
        with forge_app.app_context():
            webhook = registry.events.add_webhook(receiver.url)
        number = 0
        for _ in range(KILLS):
            with delivering() as process:
                fatal = len(receiver.arrived) + dice.randrange(1, 4)

                def answer(_: Arrived, fatal: int = fatal) -> int:
                    if len(receiver.arrived) >= fatal:
                        process.send_signal(signal.SIGKILL)
                    return 200

                receiver.answer = answer
                for _ in range(3):
                    number += 1
                    manifest = image(LAYER, number=number)
                    client.push_manifest(dice.choice(NAMES), manifest, "latest")
                process.wait(60)
        receiver.answer = lambda _: 200
        with forge_app.app_context():
            events = [
                event
                for event in reversed(registry.events.latest(1000))
                if event.id > webhook.after_id
            ]
        with delivering():
            wait_until(
                lambda: {event.uuid for event in events} <= arrived(receiver),
                90,
                "telling everything",
            )
    assert len(events) == 2 * 3 * KILLS
    assert len(receiver.taken) > len(events)
    expected = defaultdict(list)
    for event in events:
        expected[event.repository].append(event.uuid)
    assert receiver.first_arrivals() == expected


def test_it_ends_when_it_is_asked_to(forge_app: Flask) -> None:
    """A service manager's signal ends it, after what it is doing."""
    with delivering() as process, Receiver() as receiver:
        from example_app.registry import registry

        with forge_app.app_context():
            registry.events.add_webhook(receiver.url)
        client = RegistryClient(forge_app, basic(USERNAME, PASSWORD))
        client.push_image(NAMES[0])
        wait_until(lambda: bool(receiver.taken), 60, "telling something")
        process.terminate()
        assert process.wait(60) == 0


def arrived(receiver: Receiver) -> set[str]:
    """Return the ids of what has arrived."""
    return {json.loads(request.body)["id"] for request in list(receiver.taken)}
