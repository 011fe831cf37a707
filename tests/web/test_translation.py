"""The translation of the pages: the documented command finds every text."""

from __future__ import annotations

import html
import io
import re
import shlex
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import read_mo
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import Babel

import flask_oci.web
from flask_oci.config.languages import LANGUAGES
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_EMPTY
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.web.translation import FOLDER
from tests.support.doc_blocks import ALL_BLOCKS
from tests.support.doc_blocks import commands
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Page
from tests.support.visitor import Visitor

pytestmark = pytest.mark.sqlite_only

NAME = "alice/hello"

#: The configs of two images, by tag.
CONFIGS = {
    tag: encoded(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["something"], "Labels": {"title": "something"}},
            "history": [{"created_by": "RUN something"}],
            "author": tag,
        }
    )
    for tag in ("1", "2")
}

#: The digest of the first image.
DIGEST = digest_of(image(b"1", config=CONFIGS["1"]))

WEB = Path(flask_oci.web.__path__[0])

#: The marks around each translated text.
OPEN, CLOSE = "«", "»"

#: Words that are not translated: pushed content, commands, and terms such as the keys
#: of a chart.
OTHERS = re.compile(
    r"https?://\S+|/\S*|\S*[:=@*]\S*|[0-9a-f]{12}|[\d.,-]+|[kMGT]?B|Byte|ms"
    r"|docker|podman|pull|push|delete|application\S+|latest|title|flask_oci"
    r"|Docker|Podman|Dockerfile|Compose|Kubernetes|Helm|ORAS|(?:linux|windows)/\S+"
    r"|alice/?|hello|alice/hello|nothing|RUN|name|version|description"
    r"|\[?\"?something\"?\]?"
)


@pytest.fixture(name="template", scope="module")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template for translators, made by the documented command."""
    (command,) = (
        c
        for block in ALL_BLOCKS
        if block.page == "docs/pages.rst"
        for c in commands(block)
        if c.startswith("pybabel extract")
    )
    made = tmp_path_factory.mktemp("babel") / "flask_oci.pot"
    words = command.replace("/srv/forge/lib/flask_oci", str(WEB.parent))
    words = words.replace("flask_oci.pot", str(made))
    run: t.Any = CommandLineInterface().run
    assert not run(shlex.split(words))
    return made


@pytest.fixture(name="translated")
def _translated(app: Flask, template: Path, tmp_path: Path) -> Flask:
    """An application in which the translation marks each text that was found."""
    folder = tmp_path / "translations/de/LC_MESSAGES"
    folder.mkdir(parents=True)
    catalog = read_po(io.BytesIO(template.read_bytes()), locale="de")
    for message in catalog:
        if isinstance(message.id, str):
            message.string = OPEN + message.id + CLOSE if message.id else ""
        else:
            message.string = tuple(OPEN + text + CLOSE for text in message.id)
    with (folder / "flask_oci.mo").open("wb") as mo:
        write_mo(mo, catalog)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(tmp_path / "translations")
    Babel(app, locale_selector=lambda: "de")
    return app


@pytest.fixture(name="signed_in")
def _signed_in(
    translated: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> Visitor:
    """Alice, an administrator with an image, a signature and an upload."""
    hooks = translated.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: True)
    for tag, config in CONFIGS.items():
        alice.push_image("alice/hello", tag, tag.encode(), config=config)
    subject = alice.get("/v2/alice/hello/manifests/1").data
    alice.push_blob("alice/hello", b"{}")
    signature = image(
        descriptor(b"{}", "application/json"),
        config=descriptor(b"{}", OCI_EMPTY),
        artifactType="application/vnd.dev.cosign.artifact.sig.v1+json",
        subject=descriptor(subject, "application/vnd.oci.image.manifest.v1+json"),
    )
    alice.push_manifest("alice/hello", signature)
    alice.start_upload("alice/hello")
    push_others(alice)
    with translated.app_context():
        registry.retention.set(["keep 1 newest of 1*", "delete *"], repository=NAME)
    return Visitor(translated, "alice")


def push_others(alice: RegistryClient) -> None:
    """Push a chart, an artifact and an index, as the tags 3, 4 and 5."""
    about = encoded({"name": "something", "version": "1.0", "description": "something"})
    title = {"org.opencontainers.image.title": "something"}
    layer = descriptor(b"{}", "application/x.y+json", annotations=title)
    alice.push_blob(NAME, about)
    for tag, kind in (
        ("3", "application/vnd.cncf.helm.config.v1+json"),
        ("4", "application/x.thing+json"),
    ):
        config = descriptor(about, kind)
        alice.push_manifest(NAME, image(layer, config=config), tag)
    child = alice.get(f"/v2/{NAME}/manifests/1").data
    platform = {"os": "linux", "architecture": "amd64"}
    beside = {"vnd.docker.reference.type": "attestation-manifest"}
    children = [
        descriptor(child, OCI_MANIFEST, platform=platform),
        descriptor(child, OCI_MANIFEST, annotations=beside),
    ]
    alice.push_manifest(NAME, index(*children), "5")


def test_base_template_is_translated_by_the_application(
    translated: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts of the base template are in the application's own domain, although the
    pages translate the same text themselves."""
    path = tmp_path / "translations/de/LC_MESSAGES/messages.mo"
    own: t.Any = Catalog(locale="de")
    own.add("Images", "Bilder")
    with path.open("wb") as mo:
        write_mo(mo, own)
    (tmp_path / "site.html").write_text(
        "<h1>{{ _('Images') }}</h1>{% block title %}{% endblock %}"
        "{% block content %}{% endblock %}"
    )
    t.cast(t.Any, translated).jinja_loader.searchpath.append(str(tmp_path))
    config = replace(translated.extensions["oci"].config, web_base_template="site.html")
    monkeypatch.setitem(
        translated.extensions,
        "oci",
        replace(translated.extensions["oci"], config=config),
    )
    html = Visitor(translated, "alice").get("/images/").html
    assert "<h1>Bilder</h1>" in html
    assert f"{OPEN}Images{CLOSE}" in html


PAGES: t.Final = (
    "/images/",
    "/images/?q=nothing",
    "/images/-/storage",
    "/images/-/tokens",
    "/images/-/robots",
    "/images/-/robots?repository=alice/hello",
    "/images/-/administration",
    "/images/-/uploads",
    "/images/-/events",
    "/images/-/events?repository=alice/hello",
    "/images/alice/hello",
    "/images/alice/hello?show=untagged",
    "/images/alice/hello?q=nothing",
    "/images/alice/hello/-/image/1",
    "/images/alice/hello/-/compare?from=1&to=2",
    "/images/alice/hello/-/compare?from=1&to=3",
    "/images/alice/hello/-/history",
    "/images/alice/hello/-/uploads",
    "/images/alice/hello/-/settings",
    "/images/alice/hello/-/settings/retention",
    "/images/alice/hello/-/image/3",
    "/images/alice/hello/-/image/5",
    "/images/alice/hello/-/image/4",
    "/images/alice/hello?show=attached",
    "/images/nothing",
)

#: Forms with a confirmation, and their fields.
ASKED: t.Final[dict[str, dict[str, str]]] = {
    "settings/visibility": {"visibility": "public"},
    "settings/name": {"name": "alice/something"},
    "settings/owner": {"owner": "bob"},
    "settings/retention": {"rules": "delete 2*"},
    "settings/delete": {},
    "tags/delete": {"tag": "1"},
    "images/delete": {"digest": DIGEST},
    "images/forget": {"digest": DIGEST},
}


@pytest.mark.parametrize("address", PAGES)
def test_page_texts_are_all_extracted(signed_in: Visitor, address: str) -> None:
    """Every text of a page is marked for translation."""
    assert_all_marked(signed_in.get(address))


@pytest.mark.parametrize("form", ASKED)
def test_confirmation_texts_are_all_extracted(signed_in: Visitor, form: str) -> None:
    """Every text of a confirmation is marked for translation."""
    page = signed_in.send(f"/images/alice/hello/-/{form}", **ASKED[form])
    assert page.forms()[0].fields["confirmed"] == ["yes"]
    assert_all_marked(page)


def test_deleted_image_texts_are_all_extracted(
    alice: RegistryClient, signed_in: Visitor
) -> None:
    """The history with a deleted image is marked for translation."""
    address = f"/images/{NAME}/-/images/delete"
    digest = digest_of(alice.push_image(NAME, layer=b"deleted"))
    signed_in.follow_form(signed_in.send(address, digest=digest))
    assert_all_marked(signed_in.get(f"/images/{NAME}/-/history"))


@pytest.mark.parametrize(
    "sent",
    [
        {"repositories": "*", "actions": "pull", "name": "something"},
        {"repositories": "", "name": "something"},
    ],
)
def test_token_form_texts_are_all_extracted(
    signed_in: Visitor, sent: dict[str, str]
) -> None:
    """The messages of the token form are marked for translation."""
    assert_all_marked(signed_in.send("/images/-/tokens", **sent))


#: The placeholders of a text.
PLACEHOLDER = re.compile(r"%\(\w+\)s|%.?")


def forms_of(value: t.Any) -> tuple[str, ...]:
    """Return the forms of a text: one, or one for each kind of number."""
    return (value,) if isinstance(value, str) else tuple(value)


def messages(catalog: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the forms of each translation, by the forms of its text."""
    return {forms_of(m.id): forms_of(m.string) for m in catalog if m.id}


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {"en"}))
def test_catalog_translates_each_text_with_its_placeholders(
    template: Path, language: str
) -> None:
    """``tox -e translations`` adds new texts, and removes those that no page has."""
    texts = set(messages(read_po(io.BytesIO(template.read_bytes()))))
    folder = Path(FOLDER, language, "LC_MESSAGES")
    catalog = read_po(io.BytesIO((folder / "flask_oci.po").read_bytes()))
    found = messages(catalog)
    assert texts - {*found} == set()
    assert {*found} - texts == set()
    assert not [message.id for message in catalog if message.id and message.fuzzy]
    for text, translations in found.items():
        wanted = set(PLACEHOLDER.findall("".join(text)))
        assert all(translations), text
        for translation in translations:
            used = set(PLACEHOLDER.findall(translation))
            # The form for one thing may do without its number.
            assert used | {"%(num)s"} == wanted | {"%(num)s"}, text
        # A language with one form, such as Japanese, may do without it altogether.
        if len(translations) > 1:
            assert set(PLACEHOLDER.findall(translations[-1])) == wanted, text


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {"en"}))
def test_compiled_catalog_has_the_translations_of_its_source(language: str) -> None:
    """Both are in the repository: ``tox -e translations`` compiles one from the
    other."""
    folder = Path(FOLDER, language, "LC_MESSAGES")
    catalog = read_po(io.BytesIO((folder / "flask_oci.po").read_bytes()))
    compiled = read_mo(io.BytesIO((folder / "flask_oci.mo").read_bytes()))
    assert messages(compiled) == messages(catalog)


def assert_all_marked(page: Page) -> None:
    """Check that all texts of a page were translated, except for pushed content."""
    # Texts that are marked as English are not translated.
    left = re.sub(r'<span lang="en">[^<]*</span>', "", page.html)
    left = re.sub(r"(?s)<(script|style|textarea|code|pre)\b.*?</\1>", "", left)
    left = left.replace("<wbr>", "")
    said = re.findall(r' (?:aria-label|placeholder)="([^"]*)"', left)
    left = html.unescape(" ".join([re.sub(r'<(?:"[^"]*"|[^>"])*>', " ", left), *said]))
    while (shorter := re.sub(rf"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", " ", left)) != left:
        left = shorter
    words = re.findall("[^\\s·→\N{EN DASH}“”?]+", left)
    assert {word for word in words if not OTHERS.fullmatch(word)} == set()
    assert OPEN in page.html
