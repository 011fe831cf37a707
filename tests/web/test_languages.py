"""The languages of the pages: their selection, and the catalogs of the package."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import Flask
from flask_babel import Babel

from flask_oci.config.languages import LANGUAGES
from flask_oci.web.translation import FOLDER
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Visitor


def in_languages(
    app: Flask, patch: pytest.MonkeyPatch, languages: tuple[str, ...]
) -> None:
    """Configure the languages of the pages."""
    parts = app.extensions["oci"]
    config = replace(parts.config, languages=languages)
    patch.setitem(app.extensions, "oci", replace(parts, config=config))


def test_package_has_a_catalog_of_each_language() -> None:
    """Each language that the key accepts, except for English."""
    found = {path.name for path in Path(FOLDER).iterdir()}
    assert found == {*LANGUAGES} - {"en"}


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de", "Zugriffstoken"),
        ("nl,ja;q=0.4", "ja", "アクセストークン"),
        ("nl", "en", "Access tokens"),
        ("fr", "en", "Access tokens"),
        ("x" * 5000, "en", "Access tokens"),
    ],
)
def test_browser_selects_one_of_the_configured_languages(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    accepted: str,
    language: str,
    title: str,
) -> None:
    """The first language is the default. Caches learn that the language varies."""
    in_languages(app, monkeypatch, ("en", "de", "ja"))
    visitor = Visitor(app, "alice")
    page = visitor.client.get("/images/-/tokens", headers={"Accept-Language": accepted})
    assert f'<div class="oci" lang="{language}">' in page.text
    assert f"<h1>{title}</h1>" in page.text
    assert "Accept-Language" in page.vary


def test_pages_are_in_english_by_default(app: Flask) -> None:
    """Most applications have one language, which the browser cannot know."""
    visitor = Visitor(app, "alice")
    page = visitor.client.get("/images/-/tokens", headers={"Accept-Language": "de"})
    assert "<h1>Access tokens</h1>" in page.text
    assert "Accept-Language" not in page.vary


def test_flask_babel_selects_language_numbers_and_sizes(
    app: Flask, alice: RegistryClient, tmp_path: Path
) -> None:
    """A translation of the application replaces the one of the package."""
    folder = tmp_path / "translations/fr/LC_MESSAGES"
    folder.mkdir(parents=True)
    own: t.Any = Catalog(locale="fr")
    own.add("Repositories", "Images de conteneurs")
    with (folder / "flask_oci.mo").open("wb") as mo:
        write_mo(mo, own)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(tmp_path / "translations")
    Babel(app, locale_selector=lambda: "fr_CA")
    alice.push_image("alice/hello", "1", bytes(1_500_000))
    page = Visitor(app, "alice").get("/images/-/storage")
    assert "1,5 Mo" in page.text
    assert "Images de conteneurs" in page.links
    assert "Stockage" in page.links
    assert 'lang="fr-CA"' in page.html


def test_language_without_catalog_is_english(app: Flask) -> None:
    """Its pages say so to screen readers."""
    Babel(app, locale_selector=lambda: "nl")
    page = Visitor(app, "alice").get("/images/-/storage")
    assert "Storage" in page.links
    assert '<div class="oci" lang="en">' in page.html
