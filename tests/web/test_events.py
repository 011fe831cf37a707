"""What whoever runs the site sees of events."""

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
    """Bob, who runs the site."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "administrator", lambda user: user.username == "bob")
    return Visitor(app, "bob")


def test_what_happened(app: Flask, alice: RegistryClient, visitor: Visitor) -> None:
    """Everything that is on record is told in words, the last of it first."""
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
        "A collection freed 0 B",
        "it was deleted",
        "it was given to bob",
        "it was called alice/hello before",
        "it became public",
        "latest was deleted",
        "latest was moved",
        "an image was pushed",
        "latest was made",
        "it was made",
    ]
    places = [text.index(phrase) for phrase in told]
    assert places == sorted(places)
    assert "by alice" in text


@pytest.mark.options(oci_events=["*"])
def test_every_kind_has_words(alice: RegistryClient, visitor: Visitor) -> None:
    """Blobs and pulls, too, where a host keeps them."""
    alice.push_image("alice/hello", "latest")
    alice.get("/v2/alice/hello/manifests/latest")
    digest = alice.push_blob("alice/hello", b"alone")
    query = {"mount": digest, "from": "alice/hello"}
    alice.post("/v2/alice/other/blobs/uploads/", query=query)
    alice.delete(f"/v2/alice/hello/blobs/{digest}")
    text = visitor.get(EVENTS).text
    for phrase in ("pushed", "pulled", "mounted from alice/hello", "blob was deleted"):
        assert phrase in text


def test_one_repository(alice: RegistryClient, visitor: Visitor) -> None:
    """A click on a name leads to what happened to it."""
    alice.push_image("alice/hello", "one")
    alice.push_image("alice/other", "two")
    page = visitor.get(visitor.get(EVENTS).links["alice/hello"])
    assert "What happened to alice/hello" in page.text
    assert "one was made" in page.text
    assert "two was made" not in page.text
    assert "Nothing has happened yet." in visitor.get(EVENTS, repository="a").text


def test_there_are_pages(app: Flask, alice: RegistryClient, visitor: Visitor) -> None:
    """A list of any length is shown some at a time, at the same cost."""
    alice.push_image("alice/hello", "t0")
    for number in range(1, 30):
        alice.push_manifest("alice/hello", image(LAYER), f"t{number}")
    pages = list(visitor.pages(EVENTS))
    assert len(pages) == 3
    shown = " ".join(page.text for page in pages)
    for number in range(30):
        assert shown.count(f" t{number} was made") == 1
    for address in (EVENTS, ADMINISTRATION):
        with statements(app) as sent:
            visitor.get(address)
        assert len(sent) < 20
    for wrong in ("9" * 30, str(2**63), "-1"):
        assert visitor.get(EVENTS, before=wrong).status == 200


def test_the_page_of_the_site(alice: RegistryClient, visitor: Visitor) -> None:
    """It has the last events, and leads to the others."""
    assert "What happened last" not in visitor.get(ADMINISTRATION).text
    alice.push_image("alice/hello", "latest")
    page = visitor.get(ADMINISTRATION)
    assert "What happened last" in page.text
    assert "latest was made" in page.text
    assert page.links["Show all events"] == EVENTS


def test_webhooks(app: Flask, alice: RegistryClient, visitor: Visitor) -> None:
    """Whoever runs the site sees that somebody is not told, and no secret."""
    assert "Nobody is told of events." in visitor.get(EVENTS).text
    with app.app_context():
        webhook = registry.events.add_webhook("http://localhost:1/hook")
    alice.push_image("alice/hello", "latest")
    page = visitor.get(EVENTS)
    assert "http://localhost:1/hook" in page.text
    assert "3 events have yet to be told. 0 were given up." in page.text
    assert "1 webhook: 3 waiting, 0 given up" in visitor.get(ADMINISTRATION).text
    with app.app_context():
        registry.events.deliver()
    page = visitor.get(EVENTS)
    assert "It did not answer 1 time." in page.text
    assert webhook.secret not in page.html


def test_nothing_that_was_pushed_is_markup(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """Nor is what a client calls itself, or who somebody is."""
    with alice.app.app_context():
        registry.events.add_webhook("https://example.org/<script>alert(1)</script>")
    alice.push_image("alice/hello", "latest")
    html = visitor.get(EVENTS).html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_what_is_wrong_is_told(alice: RegistryClient, visitor: Visitor) -> None:
    """A disk that cannot be written to is the first thing on the page."""
    alice.push_blob("alice/hello", b"something")
    assert "cannot be written to" not in visitor.get(ADMINISTRATION).text
    with Faults(alice.app).disk(0, 30, calls=("mkdir",)):
        page = visitor.get(ADMINISTRATION)
    assert "The storage cannot be written to." in page.text
