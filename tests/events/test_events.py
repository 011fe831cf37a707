"""The outbox: an event is committed in the transaction of its change."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest
from flask import Flask

from flask_oci import Denied
from flask_oci import signals
from flask_oci.changes import Change
from flask_oci.config import ConfigError
from flask_oci.testing import Faults
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from tests.conftest import MakeApp
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"


@pytest.fixture(name="upkeep")
def _upkeep(app: Flask) -> Upkeep:
    """An administrator of the registry."""
    return Upkeep(app)


def events(upkeep: Upkeep, *args: str) -> list[dict[str, t.Any]]:
    """Return the stored events, the oldest first."""
    result = upkeep.run("events", "list", "--json", *args)
    assert result.exit_code == 0, result.output
    return list(reversed(json.loads(result.stdout)))


def kinds(upkeep: Upkeep, *args: str) -> list[str]:
    """Return the kinds of the stored events, the oldest first."""
    return [event["kind"] for event in events(upkeep, *args)]


def test_push_is_stored(alice: RegistryClient, upkeep: Upkeep) -> None:
    """The event has the manifest and the user."""
    manifest = alice.push_image(NAME, "latest")
    created, pushed, moved = events(upkeep)
    assert (created["kind"], created["repository"]) == ("repository.created", NAME)
    assert pushed["kind"] == "manifest.pushed"
    assert pushed["digest"] == moved["digest"] == digest_of(manifest)
    assert (pushed["size"], pushed["tags"]) == (len(manifest), ["latest"])
    assert (pushed["actor"], pushed["address"]) == ("alice", "127.0.0.1")
    assert (moved["kind"], moved["tag"]) == ("tag.moved", "latest")
    assert created["id"] < pushed["id"] < moved["id"]
    assert len({event["uuid"] for event in events(upkeep)}) == 3


@pytest.mark.options(oci_events=["blob.*"])
def test_empty_blob_is_stored_with_its_size(
    alice: RegistryClient, upkeep: Upkeep
) -> None:
    """The size 0 is recorded."""
    alice.push_blob(NAME, b"")
    (pushed,) = events(upkeep)
    assert (pushed["kind"], pushed["size"]) == ("blob.pushed", 0)


def test_each_interface_stores_the_same_events(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """Clients, commands and the host's code leave the same events."""
    digest = digest_of(alice.push_image(NAME, "latest"))
    upkeep.run("visibility", NAME, "public")
    with app.app_context():
        registry.repositories.rename(NAME, "alice/other")
    alice.delete("/v2/alice/other/manifests/latest")
    alice.delete(f"/v2/alice/other/manifests/{digest}")
    with app.app_context():
        registry.repositories.delete("alice/other")
    upkeep.gc()
    assert kinds(upkeep)[3:] == [
        "repository.visibility-changed",
        "repository.renamed",
        "tag.deleted",
        "manifest.deleted",
        "repository.deleted",
        "collection.finished",
    ]
    assert events(upkeep)[-1]["detail"]["freed"] == 0


def test_failed_change_is_not_stored(alice: RegistryClient, upkeep: Upkeep) -> None:
    """A refused and a failed transaction leave no event."""
    alice.push_image(NAME, "latest")
    before = events(upkeep)

    def refuse(sender: Flask, change: Change) -> None:
        raise Denied("Not today.")

    with signals.tag_moving.connected_to(refuse):
        assert alice.put_manifest(NAME, "v2", image(LAYER)).status_code == 403
    assert alice.put_manifest(NAME, "v2", image(b"not there")).status_code == 400
    assert events(upkeep) == before


def test_event_is_stored_only_with_its_change(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """At whichever statement a push fails, its event is stored if and only if its
    manifest is."""
    alice.push_image(NAME, "latest")
    alice.app.config["PROPAGATE_EXCEPTIONS"] = False
    number = failed = 0
    while True:
        manifest = image(LAYER, number=number)
        with Faults(app).database(number) as fault:
            answer = alice.put_manifest(NAME, f"t{number}", manifest)
        there = f"t{number}" in alice.tags(NAME)
        recorded = {event.get("tag") for event in events(upkeep)}
        assert (f"t{number}" in recorded) == there
        assert there or answer.status_code >= 500
        number += 1
        failed += not there
        if fault.happened is None:
            break
    assert failed > 5


@pytest.mark.options(oci_events=["manifest.*", "blob.mounted"])
def test_configured_kinds_are_stored(alice: RegistryClient, upkeep: Upkeep) -> None:
    """The host selects the kinds of events to store."""
    alice.push_image(NAME, "latest")
    query = {"mount": digest_of(LAYER), "from": NAME}
    alice.post("/v2/alice/other/blobs/uploads/", query=query)
    alice.get(f"/v2/{NAME}/manifests/latest")
    assert kinds(upkeep) == ["manifest.pushed", "blob.mounted", "manifest.pulled"]
    assert kinds(upkeep, "--kind", "blob.mounted") == ["blob.mounted"]
    assert kinds(upkeep, "--repository", NAME) == ["manifest.pushed", "manifest.pulled"]
    assert kinds(upkeep, "--limit", "1") == ["manifest.pulled"]


def test_pulls_are_not_stored_by_default(alice: RegistryClient, upkeep: Upkeep) -> None:
    """Pulls are not stored by default: each would be a transaction."""
    alice.push_image(NAME, "latest")
    before = events(upkeep)
    assert alice.get(f"/v2/{NAME}/manifests/latest").status_code == 200
    assert events(upkeep) == before


@pytest.mark.parametrize("wrong", ["tag.*", ["tags"], 5, [""]])
def test_invalid_kinds_stop_the_application(make_app: MakeApp, wrong: object) -> None:
    """An invalid list of kinds stops the application."""
    with pytest.raises(ConfigError, match="OCI_EVENTS"):
        make_app(OCI_EVENTS=wrong)


@pytest.mark.options(oci_event_lifetime=3600)
def test_old_events_are_pruned(alice: RegistryClient, upkeep: Upkeep) -> None:
    """A command and the collection delete old events."""
    alice.push_image(NAME, "latest")
    with later(timedelta(minutes=59)):
        assert "Deleted 0 events" in upkeep.run("events", "prune").output
    with later(timedelta(minutes=61)):
        assert "Deleted 3 events" in upkeep.run("events", "prune").output
        assert events(upkeep) == []
    alice.push_manifest(NAME, image(LAYER), "v2")
    with later(LONG):
        upkeep.gc("--dry-run")
        assert kinds(upkeep) == ["manifest.pushed", "tag.moved"]
        upkeep.gc()
        assert kinds(upkeep) == ["collection.finished"]


def test_event_list_has_no_control_characters(
    alice: RegistryClient, upkeep: Upkeep
) -> None:
    """The list has a line for each event, and no control characters."""
    assert "No events found" in upkeep.run("events", "list").output
    alice.push_image(NAME, "latest")
    lines = upkeep.run("events", "list").stdout.splitlines()
    assert len(lines) == 1 + 3
    assert lines[1].split()[4:7] == ["tag.moved", "alice/app", "tag=latest"]
    assert lines[1].endswith("alice")
