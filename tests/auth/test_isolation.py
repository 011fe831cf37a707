"""Isolation: no repository gives access to the content of another one."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import media_type_of
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]


@pytest.fixture(name="secret")
def _secret(bob: RegistryClient) -> bytes:
    """The manifest of an image of bob that alice may not pull."""
    return bob.push_image("bob/secret", "v1", layer=LAYER)


def test_push_with_known_digest_gives_no_access_to_content(
    alice: RegistryClient, secret: bytes
) -> None:
    """A user who knows only a digest does not get its content with a push."""
    path, digest = "/v2/alice/app/blobs/uploads/", digest_of(LAYER)
    wrong = (400, "DIGEST_INVALID")
    assert refusal(alice.post(path, query={"digest": digest})) == wrong
    assert refusal(alice.post(path, LAYER[:-1], query={"digest": digest})) == wrong
    for content in (b"", LAYER[:-1], LAYER + b"x"):
        location = alice.start_upload("alice/app")
        alice.patch(location, content)
        assert refusal(alice.put(with_query(location, digest=digest))) == wrong
    for method in ("GET", "HEAD"):
        response = alice.request(method, f"/v2/alice/app/blobs/{digest}")
        assert response.status_code == 404


@pytest.mark.parametrize("sparse", [False, True])
def test_manifest_with_digests_of_other_user_gives_no_access(
    make_app: MakeApp, secret: bytes, sparse: bool
) -> None:
    """A manifest whose config, layer, child or subject is bob's is refused or has no
    effect, and gives no access to any of them."""
    app = make_app(OCI_ALLOW_SPARSE=sparse)
    alice = RegistryClient.of(app, "alice")
    child = descriptor(secret, OCI_MANIFEST)
    alice.push_blob("alice/app", b"{}")
    subject = image(config=b"{}", subject=child)
    refused = (400, "MANIFEST_BLOB_UNKNOWN")
    for manifest in (image(LAYER, config=b"{}"), image(config=CONFIG), index(child)):
        response = alice.put_manifest("alice/app", "v1", manifest)
        if sparse:
            assert response.status_code == 201
        else:
            assert refusal(response) == refused
    assert alice.put_manifest("alice/app", "v2", subject).status_code == 201
    for content in (LAYER, CONFIG):
        response = alice.get(f"/v2/alice/app/blobs/{digest_of(content)}")
        assert refusal(response) == (404, "BLOB_UNKNOWN")
    response = alice.get(f"/v2/alice/app/manifests/{digest_of(secret)}")
    assert refusal(response) == (404, "MANIFEST_UNKNOWN")
    query = {"mount": digest_of(LAYER), "from": "alice/app"}
    mounted = alice.post("/v2/alice/other/blobs/uploads/", query=query)
    assert mounted.status_code == 202


def test_descriptor_with_digest_of_other_user_hides_size(
    alice: RegistryClient, secret: bytes
) -> None:
    """The refusal is the same for the right and for a wrong size."""
    alice.push_blob("alice/app", b"{}")
    layers = [{**descriptor(LAYER), "size": len(LAYER) + more} for more in (0, 1)]
    answers = [
        alice.put_manifest("alice/app", "v1", image(layer, config=b"{}"))
        for layer in layers
    ]
    assert {refusal(answer) for answer in answers} == {(400, "MANIFEST_BLOB_UNKNOWN")}
    assert answers[0].data == answers[1].data


def test_referrers_of_other_repository_are_not_listed(
    alice: RegistryClient, bob: RegistryClient, secret: bytes
) -> None:
    """Referrers of the same digest in another repository are neither listed nor
    counted."""
    subject = descriptor(secret, OCI_MANIFEST)
    bob.push_blob("bob/secret", b"{}")
    bob.push_manifest("bob/secret", image(config=b"{}", subject=subject))
    path = f"/v2/alice/app/referrers/{digest_of(secret)}"
    assert alice.get(path).get_json()["manifests"] == []
    alice.push_blob("alice/app", b"{}")
    mine = image(config=b"{}", subject=subject, annotations={"by": "alice"})
    response = alice.put_manifest("alice/app", "v1", mine)
    assert response.headers["OCI-Subject"] == digest_of(secret)
    (listed,) = alice.get(path).get_json()["manifests"]
    assert listed["digest"] == digest_of(mine)
    (listed,) = bob.get(path.replace("alice/app", "bob/secret")).get_json()["manifests"]
    assert listed["digest"] != digest_of(mine)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "name",
    [
        "bob/app",
        "bob",
        "bob/alice/app",
        "alice-x/app",
        "alice.x/app",
        "alice__x/app",
        "alicea/app",
        "alic/app",
        "library/app",
        "nobody/app",
        "carol/app",
    ],
)
def test_push_to_similar_namespace_is_refused(alice: RegistryClient, name: str) -> None:
    """Alice may not push to a namespace with a similar name, or to one without a
    user."""
    client = alice.bearer(f"repository:{name}:pull,push")
    for asking in (alice, client):
        response = asking.post(f"/v2/{name}/blobs/uploads/")
        assert refusal(response) == (403, "DENIED")
    with alice.app.app_context():
        assert not registry._catalog.repositories.find(name).exists


@pytest.mark.parametrize("name", ["alice", "alice/app", "alice/bob/app"])
def test_namespace_covers_all_names_below_it(alice: RegistryClient, name: str) -> None:
    """All names with the user's name as their first component belong to the user."""
    alice.push_image(name, "v1")
    assert alice.bearer(f"repository:{name}:pull").tags(name) == ["v1"]


def test_new_repository_belongs_to_user_of_its_namespace(make_app: MakeApp) -> None:
    """The spelling has to be that of the user. In a namespace without a user, the
    repository belongs to the user who pushes first."""
    app = make_app(authorize=lambda user, action, repository: user is not None)
    bob = RegistryClient.of(app, "bob")
    for name in ("alice/app", "base/app"):
        bob.push_image(name, "v1")
    with app.app_context():
        owners = {
            name: registry.repositories.find(name).owner_id
            for name in ("alice/app", "base/app")
        }
        keys = [user_named(name).id for name in ("alice", "bob")]
    assert list(owners.values()) == keys


def test_repository_without_owner_is_not_for_user_without_key(
    app: Flask, alice: RegistryClient
) -> None:
    """The repositories of a deleted user have no owner. An unsaved user of the host has
    no key, and does not own them."""
    alice.push_image("alice/app", "v1")
    with app.app_context():
        db.session.delete(user_named("alice"))
        db.session.commit()
        left = registry.repositories.find("alice/app")
        assert left.owner_id is None
        for user in (User(username="alice"), User(username="x"), user_named("bob")):
            for action in ("pull", "push", "delete"):
                assert not registry.default_policy(user, action, left)


def test_upload_to_deleted_repository_is_404(alice: RegistryClient) -> None:
    """The upload creates nothing."""
    location = alice.start_upload("alice/app")
    alice.patch(location, LAYER)
    with alice.app.app_context():
        Repository = registry.models.Repository
        for table in (registry.models.Upload.__table__, Repository.__table__):
            db.session.execute(sa.delete(table))
        db.session.commit()
    closing = alice.put(with_query(location, digest=digest_of(LAYER)))
    assert refusal(closing) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert alice.get(f"/v2/alice/app/blobs/{digest_of(LAYER)}").status_code == 404


def test_new_repository_does_not_reuse_key_of_deleted_one(
    alice: RegistryClient, bob: RegistryClient
) -> None:
    """A request that still has the key of a deleted repository does not change the next
    one."""
    alice.start_upload("alice/app")
    with alice.app.app_context():
        before = registry.repositories.find("alice/app").id
        for model in (registry.models.Upload, registry.models.Repository):
            db.session.execute(sa.delete(model.__table__))
        db.session.commit()
    bob.start_upload("bob/app")
    with alice.app.app_context():
        after = registry.repositories.find("bob/app").id
    assert before is not None
    assert after is not None
    assert after > before


#: Content that a browser would show or run if the answer had its media type.
PAGES = {
    "html": b"<!doctype html><script>alert(document.cookie)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "pdf": b"%PDF-1.7 <script>",
    "json": b'{"a": "<script>alert(1)</script>"}',
}


@pytest.mark.parametrize("content", PAGES.values(), ids=PAGES)
def test_blob_in_browser_is_downloaded(alice: RegistryClient, content: bytes) -> None:
    """A browser must not show a blob as a page of the host's origin."""
    digest = alice.push_blob("alice/app", content)
    headers = {"Accept": "text/html,*/*", "Range": "bytes=0-5"}
    for sent in ({}, headers):
        response = alice.get(f"/v2/alice/app/blobs/{digest}", headers=sent)
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"] == "attachment"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"] == (
            "default-src 'none'; sandbox"
        )


def test_manifest_in_browser_is_no_page(alice: RegistryClient) -> None:
    """Neither is an error that repeats the input of a client."""
    alice.push_blob("alice/app", b"{}")
    script = "<script>alert(1)</script>"
    manifest = image(config=b"{}", annotations={"a": script})
    alice.push_manifest("alice/app", manifest, "v1")
    found = alice.get("/v2/alice/app/manifests/v1", headers={"Accept": "text/html"})
    assert found.headers["Content-Type"] == media_type_of(manifest)
    error = alice.get(f"/v2/alice/app/manifests/{script}")
    assert error.headers["Content-Type"] == "application/json"
    for response in (found, error):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]
