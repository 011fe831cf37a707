"""Atom feeds of pushes."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import digest_of
from flask_oci.web import feeds
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import User
from tests.support.registry_client import ATTACHED
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Visitor

ATOM = "{http://www.w3.org/2005/Atom}"
FEED = "/images/-/feed.atom"
HELLO = "/images/alice/hello/-/feed.atom"


def get(visitor: Visitor, path: str, **headers: str) -> TestResponse:
    """Return the answer to a request for a feed."""
    return visitor.client.get(path, headers=headers)


def entries(visitor: Visitor, path: str) -> list[ElementTree.Element]:
    """Return the entries of a feed, which has to be well-formed."""
    response = get(visitor, path)
    assert response.status_code == 200
    assert response.mimetype == "application/atom+xml"
    return ElementTree.fromstring(response.data).findall(f"{ATOM}entry")


def titles(visitor: Visitor, path: str) -> list[str | None]:
    """Return the titles of the entries of a feed."""
    return [entry.findtext(f"{ATOM}title") for entry in entries(visitor, path)]


def test_feed_has_latest_pushes_first(app: Flask, alice: RegistryClient) -> None:
    """An entry names the tag, the digest and the user, and links to the image. Tags of
    signatures are left out."""
    alice.push_image("alice/hello", "1.0")
    written = alice.push_image("alice/hello", "2.0", layer=b"another")
    alice.push_image("alice/hello", ATTACHED[1])
    visitor = Visitor(app, "alice")
    first, second = entries(visitor, HELLO)
    assert first.findtext(f"{ATOM}title") == "alice/hello:2.0"
    assert second.findtext(f"{ATOM}title") == "alice/hello:1.0"
    assert digest_of(written) in str(first.findtext(f"{ATOM}summary"))
    assert first.findtext(f"{ATOM}author/{ATOM}name") == "alice"
    link = first.find(f"{ATOM}link")
    assert link is not None
    assert visitor.status(link.attrib["href"]) == 200
    assert first.findtext(f"{ATOM}id") != second.findtext(f"{ATOM}id")
    for page, address in (("/images/alice/hello", HELLO), ("/images/", FEED)):
        assert f"<{address}>" in visitor.get(page).headers["Link"]
        assert visitor.get(page).links["Feed of pushes"] == address


def test_feed_that_has_not_changed_is_answered_304(
    app: Flask, alice: RegistryClient
) -> None:
    """A feed reader does not download the same feed again."""
    alice.push_image("alice/hello", "1.0")
    visitor = Visitor(app, "alice")
    for path in (HELLO, FEED):
        etag = get(visitor, path).headers["ETag"]
        unchanged = get(visitor, path, **{"If-None-Match": etag})
        assert (unchanged.status_code, unchanged.data) == (304, b"")
        alice.push_image("alice/hello", f"{len(path)}")
        assert get(visitor, path, **{"If-None-Match": etag}).status_code == 200


def test_feed_shows_only_what_the_visitor_may_pull(
    app: Flask, alice: RegistryClient, bob: RegistryClient, admin: Administrator
) -> None:
    """A hidden repository is answered as a missing one, and a hidden namespace as a
    missing one."""
    images = {"alice/hello": alice, "alice/secret": alice, "bob/app": bob}
    for name, client in images.items():
        client.push_image(name, "1.0")
    admin.publish("alice/hello")
    stranger = Visitor(app)
    assert titles(stranger, FEED) == ["alice/hello:1.0"]
    assert titles(Visitor(app, "bob"), FEED) == ["bob/app:1.0", "alice/hello:1.0"]
    assert titles(Visitor(app, "alice"), f"{FEED}?under=alice/secret") == [
        "alice/secret:1.0"
    ]
    for hidden, missing in (
        ("/images/alice/secret/-/feed.atom", "/images/alice/nothing/-/feed.atom"),
        (f"{FEED}?under=alice/secret", f"{FEED}?under=alice/absent"),
    ):
        answers = [get(stranger, path) for path in (hidden, missing)]
        assert answers[0].status_code == answers[1].status_code
        assert b"1.0" not in answers[0].data.partition(b"?>")[2]
    assert get(stranger, "/images/alice/secret/-/feed.atom").status_code == 404
    assert titles(stranger, f"{FEED}?under=alice/secret") == []


def test_feed_escapes_hostile_text_and_is_bounded(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed is well-formed, whatever the names of users and the query contain."""
    monkeypatch.setattr(feeds, "MAX_ENTRIES", 3)
    for number in range(5):
        alice.push_image("alice/hello", f"v{number}")
    with app.app_context():
        db.session.query(User).filter_by(username="alice").update(
            {"username": "<b>&\x01]]>"}
        )
        db.session.commit()
    visitor = Visitor(app, "<b>&\x01]]>")
    (author, *others) = (
        e.findtext(f"{ATOM}author/{ATOM}name") for e in entries(visitor, HELLO)
    )
    assert author == "<b>&\ufffd]]>"
    assert len(others) == 2
    assert entries(visitor, f"{FEED}?under=%3Cb%3E%26%01%22") == []
