"""Quotas: refused requests and counted content."""

from __future__ import annotations

import os

import pytest
from flask import Flask

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.quotas import limit
from tests.support.quotas import message
from tests.support.quotas import NAME
from tests.support.quotas import post
from tests.support.quotas import SMALL
from tests.support.quotas import used
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.upkeep import Upkeep

# Refusing early


def test_upload_with_full_quota_is_refused_at_once(
    app: Flask, alice: RegistryClient
) -> None:
    """The client gets the error before it sends a layer."""
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    limit(app, bytes=10_000)
    said = message(alice.post(f"/v2/{NAME}/blobs/uploads/"))
    assert said.startswith("alice uses 10.")
    assert "of 10.0 kB" in said
    assert "Delete images, or ask for a larger quota." in said


def test_quota_of_owner_covers_new_repository(
    app: Flask, alice: RegistryClient
) -> None:
    """The repository does not exist before the push."""
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    limit(app, bytes=10_000)
    message(alice.post("/v2/alice/new/blobs/uploads/"))
    message(post(alice, b"y" * 100, "alice/new"))
    assert alice.get("/v2/alice/new/tags/list").status_code == 404


@pytest.mark.parametrize("way", ["POST", "PATCH", "PUT"])
def test_announced_length_above_quota_is_refused_unread(
    app: Flask, alice: RegistryClient, way: str
) -> None:
    """The registry refuses the request before it reads the body."""
    limit(app, bytes=10_000)
    content = b"x" * 10_001
    source = Source(content)
    environ = source.environ(len(content))
    if way == "POST":
        response = post(alice, b"", environ=environ)
    else:
        location = alice.start_upload(NAME)
        if way == "PUT":
            location = with_query(location, digest=digest_of(content))
        response = alice.request(way, location, environ=environ)
    assert "this needs 10.0 kB more" in message(response)
    assert used(app) == 0


@pytest.mark.parametrize("way", ["POST", "PATCH", "PUT"])
def test_unannounced_length_above_quota_is_refused_during_upload(
    app: Flask, alice: RegistryClient, way: str
) -> None:
    """The registry refuses as soon as the body is too long, and stores nothing."""
    limit(app, bytes=10_000)
    content = b"x" * 3_000_000
    source = Source(content)
    environ = source.environ(None)
    location = ""
    if way == "POST":
        query = {"digest": digest_of(content)}
        path = f"/v2/{NAME}/blobs/uploads/"
        response = alice.post(path, query=query, environ=environ)
    else:
        location = alice.start_upload(NAME)
        target = location
        if way == "PUT":
            target = with_query(location, digest=digest_of(content))
        response = alice.request(way, target, environ=environ)
    assert "alice uses 0 B of 10.0 kB" in message(response)
    if location:
        assert alice.get(location).headers["Range"] == "0-0"
    assert used(app) == 0


def test_quota_set_during_upload_is_respected(
    app: Flask, alice: RegistryClient
) -> None:
    """The quota at the end of the push counts."""
    location = alice.start_upload(NAME)
    content = b"x" * 10_001
    source = Source(content, on_read=lambda: limit(app, bytes=10_000))
    message(
        alice.put(
            with_query(location, digest=digest_of(content)),
            environ=source.environ(len(content)),
        )
    )
    assert used(app) == 0


def test_chunks_of_upload_count_together(app: Flask, alice: RegistryClient) -> None:
    """A refused upload can continue if the next chunk fits."""
    limit(app, bytes=10_000)
    location = alice.start_upload(NAME)
    assert alice.patch(location, b"x" * 6_000).status_code == 202
    message(alice.patch(location, b"x" * 6_000))
    assert alice.get(location).headers["Range"] == "0-5999"
    assert alice.patch(location, b"x" * 3_000).status_code == 202
    content = b"x" * 9_000
    done = alice.put(with_query(location, digest=digest_of(content)))
    assert done.status_code == 201
    assert used(app) == 9_000


def test_manifest_above_quota_is_refused_with_its_tag(
    app: Flask, alice: RegistryClient
) -> None:
    """Manifests count like blobs."""
    alice.push_blob(NAME, CONFIG)
    alice.push_blob(NAME, b"a layer")
    limit(app, bytes=used(app) + 100)
    response = alice.put_manifest(NAME, "v1", image(b"a layer"))
    assert "alice uses" in message(response)
    assert alice.tags(NAME) == []
    limit(app, bytes=used(app) + SMALL)
    assert alice.put_manifest(NAME, "v1", image(b"a layer")).status_code == 201


# Counted content


def test_shared_layer_counts_once_for_owner(app: Flask, alice: RegistryClient) -> None:
    """It counts again for the quota of the other repository, whichever way it gets
    there."""
    layer = b"x" * 10_000
    alice.push_image("alice/one", "v1", layer=layer)
    limit(app, bytes=used(app) + SMALL)
    alice.push_image("alice/two", "v1", layer=layer)
    mounted = alice.post(
        "/v2/alice/three/blobs/uploads/",
        query={"mount": digest_of(layer), "from": "alice/one"},
    )
    assert mounted.status_code == 201
    assert used(app) < 13_000
    assert used(app, "alice/two") >= 10_000
    alice.push_blob("alice/four", b"small")
    limit(app, name="alice/four", bytes=5_000)
    response = alice.post(
        "/v2/alice/four/blobs/uploads/",
        query={"mount": digest_of(layer), "from": "alice/one"},
    )
    assert message(response).startswith("alice/four uses 5 B of 5.0 kB")


def test_mount_from_other_owner_counts(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """A mount above the quota is refused."""
    layer = b"x" * 10_000
    bob.push_image("bob/app", "v1", layer=layer)
    with app.app_context():
        registry.repositories.set_visibility("bob/app", "public")
    limit(app, bytes=9_000)
    query = {"mount": digest_of(layer), "from": "bob/app"}
    message(alice.post(f"/v2/{NAME}/blobs/uploads/", query=query))
    limit(app, bytes=11_000)
    path = f"/v2/{NAME}/blobs/uploads/"
    assert alice.post(path, query=query).status_code == 201


def test_existing_content_above_quota_can_be_pushed_again(
    app: Flask, alice: RegistryClient
) -> None:
    """An owner above the quota can push existing content, move tags, pull and
    delete."""
    manifest = alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    limit(app, bytes=10, images=1)
    assert post(alice, b"x" * 10_000).status_code == 201
    assert alice.put_manifest(NAME, "v1", manifest).status_code == 201
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200
    assert alice.delete(f"/v2/{NAME}/manifests/v1").status_code == 202
    message(post(alice, b"new"))


def test_quota_counts_for_owner_of_repository(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """It does not count for the user who pushes."""
    limit(app, bytes=10)
    bob.push_image("bob/app", "v1", layer=b"x" * 10_000)
    with app.app_context():
        registry.repositories.transfer("bob/app", user_named("alice"))
    message(alice.post("/v2/bob/app/blobs/uploads/"))
    with app.app_context():
        registry.repositories.transfer("bob/app", user_named("bob"))
    assert bob.post("/v2/bob/app/blobs/uploads/").status_code == 202


def test_quota_of_images_counts_tagged_images(
    app: Flask, alice: RegistryClient
) -> None:
    """An index with its children is one image, several tags of an image are one, and a
    signature does not count."""
    limit(app, images=2)
    children = [alice.push_image(NAME, layer=bytes([n])) for n in range(3)]
    whole = index(*(descriptor(child, OCI_MANIFEST) for child in children))
    for tag in ("v1", "latest"):
        alice.push_manifest(NAME, whole, tag)
    attached = digest_of(whole).replace(":", "-") + ".sig"
    alice.push_image(NAME, attached, layer=b"signature")
    alice.push_image("alice/other", "v1", layer=b"another")
    response = alice.put_manifest("alice/other", "v2", image(b"another", n=2))
    assert message(response) == (
        "alice has 2 of 2 images. Delete tags, or ask for a larger quota."
    )
    assert alice.tags("alice/other") == ["v1"]
    # A moved tag adds no image.
    assert (
        alice.put_manifest("alice/other", "v1", image(b"another", n=2)).status_code
        == 201
    )
    alice.delete("/v2/alice/other/manifests/v1")
    alice.push_manifest("alice/other", image(b"another", n=3), "v3")


def test_unfinished_upload_counts_until_cancelled(
    app: Flask, alice: RegistryClient
) -> None:
    """Other uploads have less space meanwhile."""
    alice.push_blob(NAME, b"z" * 3_000)
    limit(app, bytes=10_000)
    location = alice.start_upload(NAME)
    alice.patch(location, b"x" * 4_000)
    said = message(post(alice, b"y" * 4_000))
    assert "uses 7.0 kB of 10.0 kB (4.0 kB by unfinished uploads)" in said
    assert alice.delete(location).status_code == 204
    assert post(alice, b"y" * 4_000).status_code == 201


def test_interrupted_upload_does_not_block_retry(
    app: Flask, alice: RegistryClient
) -> None:
    """Only interrupted uploads above the whole quota block a retry."""
    alice.push_blob(NAME, b"z" * 3_000)
    limit(app, bytes=10_000)
    for byte in (b"x", b"y"):
        assert alice.patch(alice.start_upload(NAME), byte * 4_000).status_code == 202
        for path in Upkeep(app).folder.glob("uploads/*"):
            os.utime(path, (0, 0))
    message(alice.patch(alice.start_upload(NAME), b"w" * 4_000))
    assert alice.patch(alice.start_upload(NAME), b"v" * 2_000).status_code == 202


@pytest.mark.options(oci_owner_quota=10_000, oci_repository_quota=5_000)
def test_configured_quota_is_the_default(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """It applies to owners and repositories without a quota of their own."""
    for client, owner in ((alice, "alice"), (bob, "bob")):
        assert post(client, b"x" * 4_000, f"{owner}/a").status_code == 201
        assert post(client, b"y" * 4_000, f"{owner}/b").status_code == 201
        assert f"{owner}/b uses 4.0 kB of 5.0 kB" in message(
            post(client, b"z" * 1_500, f"{owner}/b")
        )
        assert f"{owner} uses 8.0 kB of 10.0 kB" in message(
            post(client, b"z" * 4_000, f"{owner}/c")
        )
    limit(app, bytes=None)
    assert post(alice, b"z" * 4_000, "alice/c").status_code == 201
    limit(app, name="alice/c", bytes=50_000)
    assert post(alice, b"a" * 40_000, "alice/c").status_code == 201
