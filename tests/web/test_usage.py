"""Storage, administration, uploads and descriptions on the pages."""

from __future__ import annotations

import os
import typing as t
from datetime import datetime
from datetime import timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import Babel

from flask_oci.testing.manifests import digest_of
from flask_oci.web import markdown
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import statements
from tests.support.visitor import Visitor

HELLO = "/images/alice/hello"
STORAGE = "/images/-/storage"
ADMINISTRATION = "/images/-/administration"
UPLOADS = "/images/-/uploads"
EVENTS = "/images/-/events"


@pytest.fixture(name="visitor")
def _visitor(app: Flask) -> Visitor:
    """Alice, signed in."""
    return Visitor(app, "alice")


@pytest.fixture(name="admin_visitor")
def _admin_visitor(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Bob, an administrator."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "bob")
    return Visitor(app, "bob")


# Storage


def test_shared_layers_count_once(alice: RegistryClient, visitor: Visitor) -> None:
    """The sum has what two repositories share once, and each of them has it whole."""
    alice.push_image("alice/one", "1", layer=b"x" * 500_000)
    alice.push_image("alice/two", "1", layer=b"x" * 500_000)
    alice.push_blob("alice/two", b"y" * 250_000)
    page = visitor.get(STORAGE)
    assert "Your 2 repositories use 750 kB together." in page.text
    two = page.text.partition("alice/two")[2]
    assert two.split()[:3] == ["private", "750", "kB"]
    assert "250 kB not shared" in two
    assert "0 B not shared" in two.partition("alice/one")[2] or "37 B not shared" in two


def test_storage_shows_only_own_repositories(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """A visitor sees the usage of their own repositories only, and an anonymous visitor
    sees none."""
    alice.push_image("alice/hello", "1")
    assert "alice/hello" in visitor.get(STORAGE).links
    none = Visitor(app, "bob").get(STORAGE)
    assert "alice" not in none.html.partition("<main")[2]
    assert "You have no repositories." in none.text
    assert "0 B" not in none.text
    assert Visitor(app).status(STORAGE) == 403


def test_storage_does_not_reveal_private_blobs_of_others(
    alice: RegistryClient, bob: RegistryClient, visitor: Visitor
) -> None:
    """The page does not reveal that another user has the same blob in a private
    repository."""
    alice.push_image("alice/hello", "1", layer=b"x" * 500_000)
    before = visitor.get(STORAGE)
    assert "500 kB not shared" in before.text
    bob.push_image("bob/secret", "1", layer=b"x" * 500_000)
    assert visitor.get(STORAGE).html == before.html


@pytest.mark.parametrize("address", [ADMINISTRATION, UPLOADS])
def test_administration_for_inactive_admin_is_hidden(
    app: Flask, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """An administrator whose account is inactive gets 404, even if the application
    loads the current user itself."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: True)
    for name, status in (("bob", 200), ("carol", 404)):
        monkeypatch.setattr(
            hooks, "current_user_loader", lambda name=name: user_named(name)
        )
        assert Visitor(app).status(address) == status


@pytest.mark.parametrize("address", [ADMINISTRATION, UPLOADS, EVENTS])
def test_administration_for_other_users_is_hidden(
    app: Flask, admin_visitor: Visitor, visitor: Visitor, address: str
) -> None:
    """Visitors who are not administrators get 404."""
    assert admin_visitor.status(address) == 200
    assert visitor.status(address) == 404
    assert Visitor(app).status(address) == 404
    assert "Administration" in admin_visitor.get("/images/").links
    assert "Administration" not in visitor.get("/images/").links


def test_administration_without_hook_is_hidden(app: Flask) -> None:
    """Without the hook ``is_admin``, the page does not exist."""
    for who in ("alice", "bob", None):
        assert Visitor(app, who).status(ADMINISTRATION) == 404


@pytest.mark.options(oci_grace_period=1)
def test_reclaimable_size_matches_garbage_collection(
    app: Flask,
    alice: RegistryClient,
    admin_visitor: Visitor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The garbage collection deletes as much as the page announced."""
    alice.push_image("alice/hello", "1", layer=b"x" * 100_000)
    alice.push_blob("alice/hello", b"y" * 300_000)
    alice.push_blob("alice/other", b"y" * 300_000)
    assert "Reclaimable 0 B" in admin_visitor.get(ADMINISTRATION).text
    Link = registry.models.RepositoryBlob.__table__
    with app.app_context():
        long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
        db.session.execute(sa.update(Link).values(leased_at=long_ago))
        db.session.commit()
    text = admin_visitor.get(ADMINISTRATION).text
    assert "Reclaimable 300 kB in 1 blob" in text
    with app.app_context():
        assert registry.collect_garbage().freed == 300_000
    assert "Reclaimable 0 B" in admin_visitor.get(ADMINISTRATION).text


def test_administration_lists_repositories_and_owners(
    alice: RegistryClient, bob: RegistryClient, admin_visitor: Visitor
) -> None:
    """The page lists all repositories and owners, largest first."""
    alice.push_image("alice/hello", "1", layer=b"x" * 100_000)
    bob.push_image("bob/hello", "1", layer=b"y" * 200_000)
    text = admin_visitor.get(ADMINISTRATION).text
    owners = text.partition("Owners")[2].partition("All repositories")[0]
    assert owners.index("bob 200 kB") < owners.index("alice 100 kB")
    assert "Repositories 2" in text


def test_usage_pages_have_bounded_statements(
    app: Flask, alice: RegistryClient, visitor: Visitor, admin_visitor: Visitor
) -> None:
    """Each repository is on one page, and the number of statements does not grow."""

    def count(who: Visitor, address: str) -> int:
        with statements(app) as sent:
            assert who.status(address) == 200
        return len(sent)

    names = [f"alice/image{number:02}" for number in range(30)]
    alice.push_image(names[0], "1")
    alice.start_upload(names[0])
    few = [count(visitor, STORAGE), count(admin_visitor, ADMINISTRATION)]
    for name in names[1:]:
        alice.push_image(name, "1")
        alice.start_upload(name)
    assert [count(visitor, STORAGE), count(admin_visitor, ADMINISTRATION)] == few
    assert count(admin_visitor, UPLOADS) <= 8
    found: list[str] = []
    for page in visitor.pages(STORAGE):
        found += [link for link in page.links if link.startswith("alice/")]
    assert sorted(found) == names


# Uploads


def test_uploads_show_their_size_until_complete(
    app: Flask, alice: RegistryClient, visitor: Visitor, admin_visitor: Visitor
) -> None:
    """An upload is listed with its size so far until it is complete."""
    alice.push_image("alice/hello", "1")
    address = f"{HELLO}/-/uploads"
    assert "There are no uploads." in visitor.get(address).text
    location = alice.start_upload("alice/hello")
    alice.patch(location, b"x" * 123_000)
    for who, where in ((visitor, address), (admin_visitor, UPLOADS)):
        page = who.get(where)
        assert "alice/hello in progress" in page.text
        assert "123 kB so far" in page.text
        assert page.headers["Refresh"]
    assert "1 upload is in progress" in visitor.get(HELLO).links
    alice.put(f"{location}?digest={digest_of(b'x' * 123_000)}")
    page = visitor.get(address)
    assert "There are no uploads." in page.text
    assert "Refresh" not in page.headers


def test_idle_upload_does_not_reload_the_page(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """An idle upload is listed, and the page does not reload."""
    alice.push_image("alice/hello", "1")
    location = alice.start_upload("alice/hello")
    name = location.partition("?")[0].rpartition("/")[2]
    folder = Path(app.extensions["oci"].config.storage_path)
    os.utime(folder / "uploads" / name, (0, 0))
    page = visitor.get(f"{HELLO}/-/uploads")
    assert "idle" in page.text
    assert "Refresh" not in page.headers


def test_uploads_without_push_permission_are_hidden(
    app: Flask, alice: RegistryClient
) -> None:
    """Visitors who may not push do not see the uploads of other users."""
    alice.push_image("alice/hello", "1")
    alice.start_upload("alice/hello")
    assert Visitor(app, "bob").status(f"{HELLO}/-/uploads") == 404
    with app.app_context():
        registry.repositories.set_visibility("alice/hello", "public")
    assert Visitor(app, "bob").status(f"{HELLO}/-/uploads") == 403
    assert "upload" not in Visitor(app, "bob").get(HELLO).text


# Descriptions


def describe(app: Flask, text: str) -> None:
    """Set the description of a repository."""
    with app.app_context():
        registry.repositories.describe("alice/hello", text)


def test_description_renders_markdown(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """A description is Markdown, with headings below those of the page."""
    alice.push_image("alice/hello", "1")
    describe(app, "# Hello\n\n*Says* `hi`, see [there](https://example.org).\n\n- one")
    page = visitor.get(HELLO)
    assert page.all("em")
    assert page.links["there"] == "https://example.org"
    assert [a for a in page.all("a") if "nofollow" in a.get("rel", "")]
    assert "<h3>Hello</h3>" in page.html


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](https://example.org/track.png)",
        '<img src=x onerror="alert(1)">',
        '<a href="https://example.org" onclick="alert(1)" style="color:red">x</a>',
        "<https://example.org/'onmouseover='alert(1)'>",
        '```x" onload=alert(1)\n</code></pre><script>alert(1)</script>\n```',
    ],
)
def test_hostile_markdown_is_sanitized(
    app: Flask, alice: RegistryClient, visitor: Visitor, text: str
) -> None:
    """Hostile Markdown is rendered as text and harmless links."""
    alice.push_image("alice/hello", "1")
    describe(app, text)
    page = visitor.get(HELLO)
    assert len(page.all("script")) == 1
    assert not page.all("img")
    for _, attributes in page.elements:
        assert not [a for a in attributes if a.startswith("on") or a == "style"]
        assert not attributes.get("href", "/").startswith(("javascript:", "data:"))


def test_long_markdown_is_plain_text(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """A description that would take long to render is shown as plain text."""
    alice.push_image("alice/hello", "1")
    text = "*Says* hi. " * 2000
    describe(app, text)
    page = visitor.get(HELLO)
    assert not page.all("em")
    assert text.strip() in page.text


def test_description_without_extra_is_plain_text(
    app: Flask,
    alice: RegistryClient,
    visitor: Visitor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the extra is not installed, a description is shown as plain text."""
    alice.push_image("alice/hello", "1")
    describe(app, "*Says* <b>hi</b>")
    monkeypatch.setattr(markdown, "find_spec", lambda name: None)
    markdown.is_available.cache_clear()
    try:
        assert "*Says* <b>hi</b>" in visitor.get(HELLO).text
    finally:
        markdown.is_available.cache_clear()


def test_description_defaults_to_annotation_of_newest_image(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A repository without a description shows the annotation of its newest image."""
    notes = {"org.opencontainers.image.description": "Says *hello*."}
    alice.push_image("alice/hello", "1", annotations=notes)
    assert "Says hello" in visitor.get(HELLO).text


# Language


def test_pages_with_flask_babel_are_translated(make_app: t.Any, tmp_path: Path) -> None:
    """With Flask-Babel, the pages are in the visitor's language."""
    folder = tmp_path / "translations/de/LC_MESSAGES"
    folder.mkdir(parents=True)
    messages = (
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "There are no images here yet."\nmsgstr "Hier sind keine Abbilder."\n\n'
        'msgid "%(num)s tag"\nmsgid_plural "%(num)s tags"\n'
        'msgstr[0] "%(num)s Marke"\nmsgstr[1] "%(num)s Marken"\n\n'
        'msgid "pushed %(when)s"\nmsgstr "%(when)s hochgeladen"\n'
    )
    catalog = tmp_path / "flask_oci.po"
    catalog.write_text(messages)
    with catalog.open("rb") as po, (folder / "flask_oci.mo").open("wb") as mo:
        write_mo(mo, read_po(po, locale="de"))
    app = make_app()
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(tmp_path / "translations")
    Babel(app, locale_selector=lambda: "de")
    visitor = Visitor(app, "alice")
    assert "Hier sind keine Abbilder." in visitor.get("/images/").text
    alice = RegistryClient.of(app, "alice")
    alice.push_image("alice/hello", "1")
    assert "1 Marke " in visitor.get("/images/").text
    assert "</time> hochgeladen" in visitor.get("/images/").html
