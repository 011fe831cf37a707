"""What the page on events has somebody write, as they would run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from doc_host import hosted
from flask_oci import signals
from registry_client import errors
from registry_client import image
from registry_client import LAYER
from registry_client import refusal

SOURCE = "org.opencontainers.image.source"


@pytest.fixture(autouse=True)
def _disconnected() -> object:
    """Leave no receiver of a reader's application behind."""
    yield
    for signal in signals.BEFORE.values():
        signal._clear_state()


def test_a_rule_about_pushes(tmp_path: Path) -> None:
    """A push that says where it comes from is taken, and another one told what is
    missing."""
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
