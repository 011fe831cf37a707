"""The page of an image announces its deletion by retention rules."""

from __future__ import annotations

from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.retention import DAY
from tests.support.retention import lay
from tests.support.retention import NAME
from tests.support.retention import PAGE
from tests.support.upkeep import later
from tests.support.visitor import Visitor


def said(visitor: Visitor, reference: str) -> str:
    """Return the notes of the page of an image, or an empty text."""
    text = visitor.get(f"{PAGE}/-/image/{reference}").text
    notes = text.partition("Compare")[2].partition("docker pull")[0]
    return notes if "etention" in notes else ""


def test_image_page_says_when_and_why_a_rule_deletes_a_tag(
    app: Flask, alice: RegistryClient
) -> None:
    visitor = Visitor(app, "alice")
    for tag in ("v1", "v2", "pr-1", "kept"):
        alice.push_image(NAME, tag, layer=tag.encode())
    assert said(visitor, "v1") == ""
    lay(
        app,
        "keep kept",
        "keep 1 newest of v*",
        "delete v*",
        "delete * older than 9 days",
        "delete pr-* not pulled for 3 days",
    )
    assert said(visitor, "kept") == ""
    assert said(visitor, "v2") == ""
    text = said(visitor, "v1")
    assert "The next run of retention deletes the tag v1." in text
    assert "no rule keeps it · delete v*" in text
    with app.app_context():
        registry.repositories.set_visibility(NAME, "public")
    assert said(Visitor(app, "bob"), "v1") == ""
    with later(DAY):
        alice.pull(NAME, "pr-1")
        date = (utcnow() + 3 * DAY).strftime("%Y-%m-%d")
        text = said(visitor, "pr-1")
        assert f"If nothing changes, retention deletes the tag pr-1 on {date}." in text
        assert "delete pr-* not pulled for 3 days" in text
        preview = visitor.get(f"{PAGE}/-/settings/retention").text
        assert f"keep until {date}" in preview
    with later(20 * DAY):
        assert "next run of retention deletes the tag pr-1" in said(visitor, "pr-1")


def test_image_page_says_when_a_rule_deletes_an_untagged_image(
    app: Flask, alice: RegistryClient
) -> None:
    visitor = Visitor(app, "alice")
    child = alice.push_image(NAME)
    loose = digest_of(alice.push_image(NAME, layer=b"loose"))
    alice.push_manifest(NAME, index(descriptor(child, OCI_MANIFEST)), "all")
    lay(app, "delete untagged after 5 days")
    assert said(visitor, digest_of(child)) == ""
    assert "retention deletes this untagged image on" in said(visitor, loose)
    with later(6 * DAY):
        text = said(visitor, loose)
        assert "The next run of retention deletes this untagged image" in text
        assert "last needed 6 days ago · delete untagged after 5 days" in text
