"""Requests that change many items: each transaction is short, because other pushes wait
for it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.statements import counted_transactions
from tests.support.visitor import Visitor

NAME = "alice/hello"
PAGE = f"/images/{NAME}"

#: The maximum number of statements of one transaction.
MOST = 500


@pytest.fixture(name="manifest")
def _manifest(alice: RegistryClient) -> bytes:
    """An image with 300 tags."""
    manifest = alice.push_image(NAME, "latest")
    for start in range(0, 300, 100):
        response = alice.put_manifest(
            NAME,
            digest_of(manifest),
            manifest,
            query={"tag": [f"v{n}" for n in range(start, start + 100)]},
        )
        assert response.status_code == 201
    return manifest


def test_form_with_many_tags_deletes_them_in_pieces(
    app: Flask, alice: RegistryClient, manifest: bytes
) -> None:
    """A form that deletes hundreds of tags holds no long transaction."""
    tags = [f"v{n}" for n in range(300)]
    with counted_transactions(sa.Engine) as counts:
        page = Visitor(app, "alice").send(
            f"{PAGE}/-/tags/delete", tag=tags, confirmed="yes"
        )
    assert page.status == 302
    assert alice.tags(NAME) == ["latest"]
    assert max(counts) < MOST


@pytest.mark.parametrize("content_type", [None, "multipart/form-data"])
def test_form_with_too_many_tags_changes_nothing(
    app: Flask, alice: RegistryClient, manifest: bytes, content_type: str | None
) -> None:
    """A form of more fields than any page has is refused before it is parsed."""
    visitor = Visitor(app, "alice")
    token = visitor.token(PAGE)
    fields = {"tag": ["v1"] * 1000, "confirmed": "yes", "oci_form": token}
    response = visitor.client.post(
        f"{PAGE}/-/tags/delete", data=fields, content_type=content_type
    )
    assert response.status_code == 413
    assert "fewer items" in response.text
    assert len(alice.tags(NAME)) == 301


def test_form_with_a_protected_tag_deletes_none(
    app: Flask, alice: RegistryClient, admin: object, manifest: bytes
) -> None:
    """All tags are checked before the first piece is deleted."""
    with app.app_context():
        registry.tag_protection.set(repository=NAME, protected=(), immutable=["v299"])
    tags = [f"v{n}" for n in range(300)]
    Visitor(app, "alice").send(f"{PAGE}/-/tags/delete", tag=tags, confirmed="yes")
    assert len(alice.tags(NAME)) == 301


@pytest.mark.parametrize("interface", ["v2", "REST"])
def test_manifest_with_many_tags_is_deleted_in_pieces(
    app: Flask, alice: RegistryClient, manifest: bytes, interface: str
) -> None:
    """The deletion of a manifest by its digest deletes its tags in pieces before."""
    digest = digest_of(manifest)
    with counted_transactions(sa.Engine) as counts:
        if interface == "v2":
            response = alice.delete(f"/v2/{NAME}/manifests/{digest}")
            assert response.status_code == 202
        else:
            RestClient(alice).done("DELETE", f"/repositories/{NAME}/-/images/{digest}")
    assert alice.tags(NAME) == []
    assert alice.get(f"/v2/{NAME}/manifests/{digest}").status_code == 404
    assert max(counts) < MOST


def test_manifest_with_many_tags_and_a_protected_one_stays(
    app: Flask, alice: RegistryClient, manifest: bytes
) -> None:
    """No tag is deleted if one of them is protected."""
    with app.app_context():
        registry.tag_protection.set(repository=NAME, protected=(), immutable=["v299"])
    response = alice.delete(f"/v2/{NAME}/manifests/{digest_of(manifest)}")
    assert refusal(response) == (403, "DENIED")
    assert len(alice.tags(NAME)) == 301
