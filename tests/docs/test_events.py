"""The code of the page on events, in an application."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from flask_oci import signals
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from tests.support.doc_blocks import BLOCKS
from tests.support.doc_host import hosted
from tests.support.receiver import Receiver
from tests.support.upkeep import later

SOURCE = "org.opencontainers.image.source"


@pytest.fixture(autouse=True)
def _disconnected() -> object:
    """Disconnect the receivers of the application after the test."""
    yield
    for signal in signals.BEFORE.values():
        signal._clear_state()


@pytest.mark.parametrize("tampered", [None, "body", "id", "timestamp", "old", "secret"])
def test_signature_check_of_documentation_accepts_only_genuine_request(
    tmp_path: Path, tampered: str | None
) -> None:
    """A request of the registry is accepted; a changed or an old one is refused."""
    (block,) = (b for b in BLOCKS if b.caption == "receiver.py")
    names: dict[str, t.Any] = {}
    exec(block.code, names)
    with Receiver() as receiver, hosted(tmp_path) as host:
        networks = (ip_network("127.0.0.0/8"),)
        parts = host.app.extensions["oci"]
        config = replace(parts.config, webhook_networks=networks)
        host.app.extensions["oci"] = replace(parts, config=config)
        with host.app.app_context():
            secret = host.registry.events.add_webhook(receiver.url).secret
            host.people["alice"].push_image("alice/app", "v1")
            assert host.registry.events.deliver().delivered == 3
    arrived = receiver.taken[0]
    headers, body = dict(arrived.headers), arrived.body
    if tampered == "body":
        body = body.replace(b"alice", b"mallo")
    elif tampered == "secret":
        secret = "whsec_" + "A" * 44
    elif tampered and tampered != "old":
        headers[f"webhook-{tampered}"] = headers[f"webhook-{tampered}"][:-1] + "0"
        if headers == arrived.headers:
            headers[f"webhook-{tampered}"] = headers[f"webhook-{tampered}"][:-1] + "1"
    late = timedelta(minutes=6 if tampered == "old" else 0)
    with later(late):
        assert names["is_genuine"](secret, headers, body) == (tampered is None)


def test_push_rule_of_documentation_refuses_missing_annotation(tmp_path: Path) -> None:
    """A push with the required annotation is accepted. Another is refused with an error
    that names the missing annotation."""
    with hosted(tmp_path, "Refusing") as host:
        host.file("rules")
        alice = host.people["alice"]
        source = {SOURCE: "https://forge.example.org/alice/app"}
        alice.push_image("alice/app", "v1", annotations=source)
        refused = alice.put_manifest("alice/app", "v2", image(LAYER))
        assert refusal(refused) == (403, "DENIED")
        assert "annotate it" in errors(refused)[0]["message"]
        alice.push_manifest("alice/app", image(LAYER))
        assert alice.tags("alice/app") == ["v1"]
