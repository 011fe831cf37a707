"""Commands that set rules, and their effect over HTTP."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.support.forge import Forge
from tests.support.pusher import Pusher

pytestmark = pytest.mark.real

NAME = "alice/hello"


@pytest.fixture(name="forge", scope="module")
def _forge() -> t.Iterator[Forge]:
    with Forge("gunicorn") as forge:
        yield forge


def oci(forge: Forge, *arguments: str) -> t.Any:
    """Run a command, and return the rules that it lists."""
    printed = forge.command("oci", *arguments)
    return json.loads(printed) if "--json" in arguments else printed


def test_rule_commands_affect_the_next_request(forge: Forge) -> None:
    """Protection, retention and quotas."""
    alice, where = Pusher(forge, NAME), ("--repository", NAME)
    for tag in ("v1", "pr-1"):
        alice.image(tag, tag.encode())

    oci(forge, "protect", "set", *where, "--immutable", "v*")
    assert oci(forge, "protect", "list", "--json")[-1]["immutable"] == ["v*"]
    refused = alice.image("v1", b"another", status=403)
    assert "immutable" in refused.json()["errors"][0]["message"]

    oci(forge, "retention", "set", *where, "delete *")
    assert oci(forge, "retention", "list", "--json")[-1]["rules"] == ["delete *"]
    previewed = oci(forge, "retention", "preview", NAME, "--json")
    # The refused image left no manifest.
    assert {row["tag"]: row["deleted"] for row in previewed} == {
        "pr-1": True,
        "v1": False,
    }
    assert alice.tags() == ["pr-1", "v1"]
    oci(forge, "retention", "run")
    assert alice.tags() == ["v1"]
    oci(forge, "retention", "unset", *where)
    oci(forge, "protect", "unset", *where)
    alice.image("v1", b"another")

    oci(forge, "quota", "set", "--owner", "alice", "--bytes", "1MB")
    assert oci(forge, "quota", "list", "--json")[-1]["bytes"] == 1_000_000
    refused = alice.blob(b"x" * 1_000_000, status=403)
    assert "of 1.0 MB" in refused.json()["errors"][0]["message"]
    shown = oci(forge, "quota", "show", "--owner", "alice", "--json")
    assert shown["images"]["used"] == 1
    oci(forge, "quota", "unset", "--owner", "alice")
    alice.blob(b"x" * 1_000_000)
