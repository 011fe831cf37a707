"""A page costs the same however much there is, and says what it leaves out."""

from __future__ import annotations

import re
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.core.documents import MAX_SHOWN
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import statements
from tests.support.visitor import Visitor

HELLO = "/images/alice/hello"
TOKENS = "/images/-/tokens"

#: The maximum number of statements of a page.
MOST_STATEMENTS = 20

FEW, MANY = 3, 30

#: The subject of all attached artifacts, which never changes.
SUBJECT = image(LAYER, subject_of="many")


@pytest.fixture(name="visitor")
def _visitor(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Alice, signed in, who is also an administrator."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: True)
    return Visitor(app, "alice")


def fill(alice: RegistryClient, rows: range) -> None:
    """Push more of everything that a page lists, and move the tag of an index to an
    index with as many children."""
    name = "alice/hello"
    for content in (CONFIG, LAYER):
        alice.push_blob(name, content)
    alice.push_manifest(name, SUBJECT, "subject")
    subject = descriptor(SUBJECT, OCI_MANIFEST)
    for number in rows:
        alice.push_manifest(name, image(LAYER, number=number), f"v{number}")
        alice.push_manifest(name, image(LAYER, number=number, subject=subject))
        alice.push_blob(name, b"layer %d" % number)
        alice.start_upload(name)
        with alice.app.test_request_context():
            registry.access_tokens.issue(user_named("alice"), name=f"token {number}")
    children = [
        descriptor(
            image(LAYER, number=number),
            OCI_MANIFEST,
            platform={"os": "linux", "architecture": f"arch{number}"},
        )
        for number in range(rows.stop)
    ]
    alice.push_manifest(name, index(*children), "index")
    layers = [b"layer %d" % number for number in range(rows.stop)]
    alice.push_manifest(name, image(*layers), "layers")
    alice.push_manifest(name, image(*layers[1:]), "fewer")


#: The pages, by label.
PAGES: t.Final[dict[str, str]] = {
    "settings": f"{HELLO}/-/settings",
    "verdicts": f"{HELLO}/-/settings/retention",
    "tokens": TOKENS,
    "uploads to a repository": f"{HELLO}/-/uploads",
    "all uploads": "/images/-/uploads",
    "raw": f"{HELLO}/-/raw/{digest_of(SUBJECT)}",
    "history": f"{HELLO}/-/history",
    "history of a tag": f"{HELLO}/-/history?tag=index",
    "events": "/images/-/events",
    "an image with referrers": f"{HELLO}/-/image/subject",
    "an index": f"{HELLO}/-/image/index",
    "an image of many layers": f"{HELLO}/-/image/layers",
    "an image of an index": f"{HELLO}/-/image/v1",
    "compare": f"{HELLO}/-/compare?from=layers&to=fewer",
    "compare with an index": f"{HELLO}/-/compare?from=layers&to=index",
    "tags": HELLO,
}


def test_pages_have_constant_statements(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """A page sends as many statements for many rows as for few."""

    def counts() -> dict[str, int]:
        found = {}
        for what, address in PAGES.items():
            with statements(app) as sent:
                assert visitor.status(address) == 200, what
            found[what] = len(sent)
        with statements(app) as sent:
            page = visitor.send(f"{HELLO}/-/settings/retention", rules="delete v*")
            assert "Save these rules?" in page.text
        found["preview of rules"] = len(sent)
        return found

    fill(alice, range(FEW))
    with app.test_request_context():
        registry.retention.set(["delete w*"], repository="alice/hello")
    few = counts()
    fill(alice, range(FEW, MANY))
    assert counts() == few
    assert max(few.values()) <= MOST_STATEMENTS, few


# Truncated lists


def test_token_pages_list_every_token_once(app: Flask, visitor: Visitor) -> None:
    """Each token is on one page, newest first, and can be revoked."""
    with app.test_request_context():
        names = [f"token {number:02}" for number in range(60)]
        for name in names:
            registry.access_tokens.issue(user_named("alice"), name=name)
            registry.access_tokens.issue(user_named("bob"), name="not hers")
    pages = list(visitor.pages(TOKENS))
    assert len(pages) == 3
    shown = [n for page in pages for n in re.findall(r"token \d\d", page.text)]
    assert sorted(shown) == names
    assert "not hers" not in " ".join(page.text for page in pages)
    last = pages[-1].forms()[-1]
    with visitor.client.post(last.action, data=last.fields) as response:
        assert response.status_code == 302
    left = [n for p in visitor.pages(TOKENS) for n in re.findall(r"token \d\d", p.text)]
    assert len(left) == 59
    assert shown[-1] not in left


@pytest.mark.parametrize("address", [f"{HELLO}/-/uploads", "/images/-/uploads"])
def test_truncated_upload_list_says_so(
    alice: RegistryClient, visitor: Visitor, address: str
) -> None:
    """A truncated list of uploads says so; a complete one does not."""
    for _ in range(50):
        alice.start_upload("alice/hello")
    page = visitor.get(address)
    assert page.text.count("so far") == 50
    assert "There are more" not in page.text
    alice.start_upload("alice/hello")
    page = visitor.get(address)
    assert page.text.count("so far") == 50
    assert "Only the 50 most recent uploads are shown." in page.text


def test_truncated_referrer_list_counts_the_rest(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The page of an image lists a bounded number of referrers, and the number of the
    others."""
    alice.push_blob("alice/hello", CONFIG)
    alice.push_manifest("alice/hello", image(), "1.0")
    about = descriptor(image(), OCI_MANIFEST)
    kind = "application/spdx+json"

    def attach(rows: range) -> None:
        for number in rows:
            written = image(subject=about, artifactType=kind, number=number)
            alice.push_manifest("alice/hello", written)

    attach(range(100))
    text = visitor.get(f"{HELLO}/-/image/1.0").text
    assert (text.count(kind), "more." in text) == (100, False)
    attach(range(100, 103))
    text = visitor.get(f"{HELLO}/-/image/1.0").text
    assert (text.count(kind), "And 3 more." in text) == (100, True)


def test_truncated_tag_list_of_image_says_so(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The page of an image with many tags lists some of them, and says so."""
    manifest = alice.push_image("alice/hello")
    tags = [f"v{number:02}" for number in range(31)]
    address = f"{HELLO}/-/image/v00"
    for few, said in ((tags[:30], False), (tags, True)):
        reference = digest_of(manifest)
        pushed = alice.put_manifest(
            "alice/hello", reference, manifest, query={"tag": few}
        )
        assert pushed.status_code == 201
        page = visitor.get(address)
        assert len({*page.links} & {*tags}) == 30
        assert ("And more." in page.text) == said


@pytest.mark.options(oci_allow_sparse=True)
def test_truncated_index_counts_the_rest(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The page of an index with many images lists the first ones, and the number of the
    others."""
    children = [
        descriptor(
            b"%d" % number,
            OCI_MANIFEST,
            platform={"os": "linux", "architecture": f"arch{number}"},
        )
        for number in range(MAX_SHOWN + 2)
    ]
    alice.push_manifest("alice/hello", index(*children), "all")
    alice.push_manifest("alice/hello", index(*children[:MAX_SHOWN]), "whole")
    text = visitor.get(f"{HELLO}/-/image/all").text.partition("Show the JSON")[0]
    assert (text.count("linux/arch"), "And 2 more." in text) == (MAX_SHOWN, True)
    assert "more." not in visitor.get(f"{HELLO}/-/image/whole").text


def test_page_of_ten_thousand_tags_has_constant_statements(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """The lists of a large repository, and the page of its image with all tags, send as
    many statements as those of a small one."""
    digest = digest_of(alice.push_image("alice/hello", "v1-first"))
    addresses = (
        *(HELLO, f"{HELLO}?sort=name", f"{HELLO}?q=v1", f"{HELLO}?show=untagged"),
        f"{HELLO}/-/image/{digest}",
    )

    def counts() -> list[int]:
        found = []
        for address in addresses:
            with statements(app) as sent:
                assert visitor.status(address) == 200
            found.append(len(sent))
        return found

    few = counts()
    with app.app_context():
        Tag, Manifest = registry.models.Tag, registry.models.Manifest
        key, repository = db.session.execute(
            sa.select(Manifest.id, Manifest.repository_id)
        ).one()
        rows = [
            {"repository_id": repository, "manifest_id": key, "name": f"v{number}"}
            for number in range(10_000)
        ]
        db.session.execute(sa.insert(Tag), rows)
        db.session.commit()
    assert counts() == few
    assert max(few) <= MOST_STATEMENTS
