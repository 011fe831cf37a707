"""The event log and the webhooks on the pages, for administrators."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_oci.testing import Faults
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import statements
from tests.support.visitor import Visitor

ADMINISTRATION = "/images/-/administration"
EVENTS = "/images/-/events"


@pytest.fixture(name="visitor")
def _visitor(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Bob, an administrator."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "bob")
    return Visitor(app, "bob")


def test_events_are_described_newest_first(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """Every recorded event has a text; the newest is first."""
    alice.push_image("alice/hello", "latest")
    alice.push_image("alice/hello", "latest", number=2)
    alice.delete("/v2/alice/hello/manifests/latest")
    with app.app_context():
        registry.repositories.set_visibility("alice/hello", "public")
        registry.repositories.rename("alice/hello", "alice/other")
        registry.repositories.transfer("alice/other", user_named("bob"))
        registry.repositories.delete("alice/other")
    Upkeep(app).gc()
    text = visitor.get(EVENTS).text
    told = [
        "Garbage collection freed 0 B",
        "the repository was deleted",
        "the repository was transferred to bob",
        "the repository was renamed from alice/hello",
        "the repository became public",
        "latest was deleted",
        "latest was moved",
        "an image was pushed",
        "latest was created",
        "the repository was created",
    ]
    places = [text.index(phrase) for phrase in told]
    assert places == sorted(places)
    assert "by alice" in text


@pytest.mark.options(oci_events=["*"])
def test_blob_and_pull_events_have_texts(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """Events of blobs and pulls have texts as well, if the application records them."""
    alice.push_image("alice/hello", "latest")
    alice.get("/v2/alice/hello/manifests/latest")
    digest = alice.push_blob("alice/hello", b"alone")
    query = {"mount": digest, "from": "alice/hello"}
    alice.post("/v2/alice/other/blobs/uploads/", query=query)
    alice.delete(f"/v2/alice/hello/blobs/{digest}")
    text = visitor.get(EVENTS).text
    for phrase in ("pushed", "pulled", "mounted from alice/hello", "blob was deleted"):
        assert phrase in text


def test_events_of_one_repository_are_filtered(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The name of a repository links to its events."""
    alice.push_image("alice/hello", "one")
    alice.push_image("alice/other", "two")
    page = visitor.get(visitor.get(EVENTS).links["alice/hello"])
    assert "Events of alice/hello" in page.text
    assert "one was created" in page.text
    assert "two was created" not in page.text
    assert "There are no events yet." in visitor.get(EVENTS, repository="a").text


def test_event_pages_have_constant_statements(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """A list of any length has pages, each with the same number of statements."""
    alice.push_image("alice/hello", "t0")
    for number in range(1, 30):
        alice.push_manifest("alice/hello", image(LAYER), f"t{number}")
    pages = list(visitor.pages(EVENTS))
    assert len(pages) == 3
    shown = " ".join(page.text for page in pages)
    for number in range(30):
        assert shown.count(f" t{number} was created") == 1
    for address in (EVENTS, ADMINISTRATION):
        with statements(app) as sent:
            visitor.get(address)
        assert len(sent) < 20
    for wrong in ("9" * 30, str(2**63), "-1"):
        assert visitor.get(EVENTS, before=wrong).status == 200


def test_administration_shows_latest_events(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The administration page shows the latest events and links to the others."""
    assert "Recent events" not in visitor.get(ADMINISTRATION).text
    alice.push_image("alice/hello", "latest")
    page = visitor.get(ADMINISTRATION)
    assert "Recent events" in page.text
    assert "latest was created" in page.text
    assert page.links["Show all events"] == EVENTS


def test_administration_shows_storage_errors(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A disk without write access is reported at the top of the page."""
    alice.push_blob("alice/hello", b"something")
    assert "cannot be written to" not in visitor.get(ADMINISTRATION).text
    with Faults(alice.app).disk(0, 30, calls=("mkdir",)):
        page = visitor.get(ADMINISTRATION)
    assert "The storage cannot be written to." in page.text
