"""Mounting blobs from other repositories."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import UNKNOWN
from flask_oci.testing.requests import with_query
from tests.support.host import Administrator
from tests.support.registry_client import RegistryClient

DIGEST = digest_of(LAYER)


def mount(
    client: RegistryClient, name: str, digest: str = DIGEST, **query: str
) -> TestResponse:
    """Ask for a blob that may be somewhere else."""
    path = f"/v2/{name}/blobs/uploads/"
    return client.post(path, query={"mount": digest, **query})


def assert_mounted(client: RegistryClient, name: str, response: TestResponse) -> None:
    """Check that the blob is there now."""
    assert response.status_code == 201
    assert response.headers["Location"] == f"/v2/{name}/blobs/{DIGEST}"
    assert response.headers["Docker-Content-Digest"] == DIGEST
    assert response.headers["Content-Length"] == "0"
    assert client.get(response.headers["Location"]).data == LAYER


def assert_not_mounted(
    client: RegistryClient, name: str, response: TestResponse
) -> None:
    """Check that nothing is there, and that the blob can be pushed instead."""
    assert response.status_code == 202
    assert response.headers["Range"] == "0-0"
    assert "Docker-Content-Digest" not in response.headers
    assert client.head(f"/v2/{name}/blobs/{DIGEST}").status_code == 404
    location = with_query(response.headers["Location"], digest=DIGEST)
    assert client.put(location, LAYER).status_code == 201
    assert client.get(f"/v2/{name}/blobs/{DIGEST}").data == LAYER


@pytest.mark.parametrize("query", [{}, {"from": "alice/app"}])
@pytest.mark.parametrize("name", ["alice/new", "alice/app/sub", "alice/app"])
def test_mount_own_blob_links_it_without_upload(
    alice: RegistryClient, name: str, query: dict[str, str]
) -> None:
    """A user's own blob is mounted without an upload, with or without a named
    source."""
    alice.push_blob("alice/app", LAYER)

    assert_mounted(alice, name, mount(alice, name, **query))


def test_mount_unknown_parameters_are_ignored(alice: RegistryClient) -> None:
    """Parameters that other clients add are ignored."""
    alice.push_blob("alice/app", LAYER)
    query = {"from": "alice/app", "origin": "docker.io"}

    assert_mounted(alice, "alice/new", mount(alice, "alice/new", **query))


@pytest.mark.parametrize("query", [{}, {"from": "bob/app"}])
def test_mount_readable_blob_links_it(
    alice: RegistryClient,
    bob: RegistryClient,
    admin: Administrator,
    query: dict[str, str],
) -> None:
    """A blob that the caller may pull elsewhere can be mounted."""
    bob.push_blob("bob/app", LAYER)
    admin.publish("bob/app")

    assert_mounted(alice, "alice/new", mount(alice, "alice/new", **query))


@pytest.mark.parametrize(
    "source", [None, "bob/app", "bob/missing", "alice/app", "UPPER", "", "a" * 300]
)
def test_mount_unreadable_blob_begins_an_upload(
    alice: RegistryClient, bob: RegistryClient, source: str | None
) -> None:
    """A blob that only others may pull is no different from one that is nowhere: an
    upload begins."""
    bob.push_blob("bob/app", LAYER)
    alice.push_blob("alice/app", b"something else")
    query = {} if source is None else {"from": source}

    assert_not_mounted(alice, "alice/new", mount(alice, "alice/new", **query))


@pytest.mark.parametrize("query", [{}, {"from": "bob/app"}])
def test_mount_private_blob_looks_unknown(
    alice: RegistryClient, bob: RegistryClient, query: dict[str, str]
) -> None:
    """The response to a mount does not differ between a private and an unknown blob."""
    bob.push_blob("bob/app", LAYER)

    private = mount(alice, "alice/new", **query)
    missing = mount(alice, "alice/new", UNKNOWN, **query)

    assert private.status_code == missing.status_code == 202
    assert private.data == missing.data
    assert set(private.headers.keys()) == set(missing.headers.keys())


def test_mount_unknown_blob_begins_an_upload(alice: RegistryClient) -> None:
    """A mount of a blob that was never pushed begins an upload."""
    assert_not_mounted(alice, "alice/new", mount(alice, "alice/new"))


def test_mount_deleted_blob_begins_an_upload(alice: RegistryClient) -> None:
    """A blob that was deleted from its source cannot be mounted from there."""
    digest = alice.push_blob("alice/app", LAYER)
    assert alice.delete(f"/v2/alice/app/blobs/{digest}").status_code == 202

    response = mount(alice, "alice/new", **{"from": "alice/app"})

    assert_not_mounted(alice, "alice/new", response)


def test_mounted_blob_survives_deletion_from_its_source(alice: RegistryClient) -> None:
    """A mounted blob stays when the repository it came from loses it."""
    digest = alice.push_blob("alice/app", LAYER)
    mount(alice, "alice/new")

    assert alice.delete(f"/v2/alice/app/blobs/{digest}").status_code == 202

    assert alice.get(f"/v2/alice/new/blobs/{digest}").data == LAYER


def test_mount_without_push_permission_is_refused(
    bob: RegistryClient, alice: RegistryClient
) -> None:
    """A user who may not push to a repository cannot mount a blob into it."""
    bob.push_blob("bob/app", LAYER)
    alice.push_blob("alice/app", b"something else")

    response = mount(bob, "alice/app", **{"from": "bob/app"})

    assert refusal(response) == (403, "DENIED")


def test_mount_needs_a_token_for_the_target_only(alice: RegistryClient) -> None:
    """A token for the target is enough where its user may pull the source, since
    clients ask for it before they know the source."""
    alice.push_blob("alice/app", LAYER)
    client = alice.bearer("repository:alice/new:pull,push")

    response = mount(client, "alice/new", **{"from": "alice/app"})

    assert_mounted(client, "alice/new", response)


def test_mount_sha512_keeps_the_digest(alice: RegistryClient) -> None:
    """A blob is mounted under the digest that it was pushed with."""
    digest = alice.push_blob("alice/app", LAYER, "sha512")

    assert mount(alice, "alice/new", digest).status_code == 201
    assert mount(alice, "alice/new", DIGEST).status_code == 202
