"""Positions in filtered lists: the caller can neither read nor choose them."""

from __future__ import annotations

import base64
import typing as t
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import pytest
from flask import Flask

from flask_oci.auth.sealed_cursors import CursorInvalid
from flask_oci.auth.sealed_cursors import Cursors
from flask_oci.clock import utcnow
from flask_oci.http import readable
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

HIDDEN = [f"alice/hidden{number}" for number in range(4)]


@pytest.fixture(name="hidden", autouse=True)
def _hidden(alice: RegistryClient) -> None:
    """Repositories of alice, and a policy without an SQL condition that hides them from
    others."""
    for name in HIDDEN:
        alice.push_image(name, "v1")
    set_policy(
        lambda user, action, repository: (
            user is not None and user.username == repository.namespace
        )
    )


@pytest.mark.parametrize("sort", ["name", "pushed"])
def test_next_page_link_names_no_hidden_repository(
    app: Flask, bob: RegistryClient, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    """A page ends in the middle of hidden repositories, and its link reveals neither a
    name nor a time. The next pages have the entries after them."""
    bob.push_image("bob/app", "v1")
    monkeypatch.setattr(readable, "BATCH_SIZE", 1)
    monkeypatch.setattr(readable, "MAX_BATCHES", 1)
    pages, links = [], []
    for page in Visitor(app, "bob").pages(f"/images/?sort={sort}"):
        pages.append(page)
        links += [page.links[name] for name in page.links if name == "Next page"]
    assert "bob/app" in {name for page in pages for name in page.links}
    for link in links:
        query = parse_qs(urlsplit(link).query)
        assert set(query) <= {"sort", "next"}
        text = query["next"][0]
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        for text_of_link in (link.encode(), content):
            assert b"hidden" not in text_of_link
            assert b"alice" not in text_of_link
            assert f"{utcnow().year}-".encode() not in text_of_link


def test_position_that_caller_chooses_is_refused(
    app: Flask, bob: RegistryClient
) -> None:
    """A position is valid only if the registry sealed it for that list."""
    bob.push_image("bob/app", "v1")
    chosen = base64.urlsafe_b64encode(b'["alice/a","2026-01-01T00:00:00Z"]').decode()
    rest = RestClient.of(app, "bob")
    refused = rest.send("GET", f"/repositories?next={chosen.rstrip('=')}")
    assert refused.status_code == 400
    for query in ({"next": chosen}, {"after": "zzz", "at": "2026-01-01T00:00:00Z"}):
        page = Visitor(app, "bob").get("/images/", sort="name", **query)
        assert "bob/app" in page.links


def test_rest_position_is_not_readable(app: Flask, alice: RegistryClient) -> None:
    """The position names no repository, and works for the next page."""
    rest = RestClient.of(app, "alice")
    first = rest.get("/repositories?limit=1")
    text = t.cast(str, first["next"])
    assert b"alice" not in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    names = [r["name"] for r in rest.items("/repositories?limit=1")]
    assert sorted(names) == HIDDEN


def test_cursor_of_other_key_list_or_content_is_invalid() -> None:
    """A former key still opens its cursors; a changed byte, another list and another
    key do not."""
    old, new = Cursors(lambda: ["old"]), Cursors(lambda: ["old", "new"])
    content = b"alice/" + b"x" * 300
    assert new.open(old.seal(content, "/list"), "/list") == content
    assert old.seal(content, "/list") != new.seal(content, "/list")
    with pytest.raises(CursorInvalid):
        old.open(new.seal(content, "/list"), "/list")
    sealed = new.seal(content, "/list")
    changed = sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:]
    for text, context in (
        (changed, "/list"),
        (sealed, "/other"),
        ("", "/list"),
        ("!", "/list"),
    ):
        with pytest.raises(CursorInvalid):
            new.open(text, context)
