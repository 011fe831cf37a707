"""Leases: content that a client was told exists is kept until the client can have
pushed the manifest."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from flask import Flask

from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import GRACE
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
DIGEST = digest_of(LAYER)
BLOB = f"/v2/{NAME}/blobs/{DIGEST}"
MINUTE = timedelta(minutes=1)

Promise = t.Callable[[RegistryClient], int]


def ask(client: RegistryClient) -> int:
    """Ask whether the blob is there, as a client does before it pushes a layer."""
    return client.head(BLOB).status_code


def mount(client: RegistryClient) -> int:
    """Mount the blob from another repository."""
    query = {"mount": DIGEST, "from": "alice/base"}
    return client.post(f"/v2/{NAME}/blobs/uploads/", query=query).status_code


def push(client: RegistryClient) -> int:
    """Push the blob in one request."""
    path = f"/v2/{NAME}/blobs/uploads/"
    return client.post(path, LAYER, query={"digest": DIGEST}).status_code


def upload(client: RegistryClient) -> int:
    """Push the blob in a session."""
    location = client.start_upload(NAME)
    client.patch(location, LAYER)
    return client.put(f"{location}?digest={DIGEST}").status_code


PROMISES = pytest.mark.parametrize("promise", [ask, mount, push, upload])


@pytest.fixture(name="keeper")
def _keeper(app: Flask, alice: RegistryClient) -> Upkeep:
    """An operator who collects garbage while a blob is in two repositories and needed
    in one."""
    alice.push_image("alice/base", "1.0")
    alice.push_blob(NAME, LAYER)
    return Upkeep(app)


@PROMISES
def test_lease_keeps_a_reported_blob(
    alice: RegistryClient, keeper: Upkeep, promise: Promise
) -> None:
    """A client can rely on a blob for the grace period, however it learned that the
    blob exists."""
    with later(GRACE * 30):
        assert promise(alice) in (200, 201)
    with later(GRACE * 31 - MINUTE):
        assert keeper.gc()["links"] == []
        alice.push_manifest(NAME, image(config=LAYER), "1.0")
    with later(GRACE * 99):
        assert keeper.gc()["links"] == []
        assert alice.get(BLOB).data == LAYER


@PROMISES
def test_lease_expires(alice: RegistryClient, keeper: Upkeep, promise: Promise) -> None:
    """A blob that no client has relied on in time is deleted."""
    with later(GRACE * 30):
        assert promise(alice) in (200, 201)
    with later(GRACE * 30 + LONG):
        assert keeper.gc()["links"] == [[NAME, DIGEST]]
        assert alice.head(BLOB).status_code == 404


def test_lease_requested_late_lasts_the_whole_period(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A client that asks just before the renewal of a lease is due has the whole grace
    period, too."""
    with later(GRACE / 4 - MINUTE):
        assert ask(alice) == 200
    with later(GRACE * 1.25 - 2 * MINUTE):
        assert keeper.gc()["links"] == []


def test_lease_is_renewed_with_few_writes(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Repeated requests keep a blob, with a write from time to time."""
    for hours in range(0, 100, 20):
        with later(timedelta(hours=hours)):
            assert ask(alice) == 200
            assert keeper.gc()["links"] == []
    with later(timedelta(hours=80) + LONG):
        assert keeper.gc()["links"] == [[NAME, DIGEST]]


def test_lease_covers_one_repository(
    alice: RegistryClient, bob: RegistryClient, keeper: Upkeep
) -> None:
    """A lease in one repository keeps no content in another."""
    alice.push_blob("alice/third", LAYER)
    with later(GRACE * 30):
        assert alice.head(f"/v2/alice/third/blobs/{DIGEST}").status_code == 200
        assert bob.head(BLOB).status_code == 404
        assert keeper.gc()["links"] == [[NAME, DIGEST]]


@pytest.mark.options(oci_grace_period=60)
def test_lease_lasts_the_configured_grace_period(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A host decides how long promises are kept."""
    with later(59 * timedelta(seconds=1)):
        assert keeper.gc()["links"] == []
    with later(timedelta(seconds=76)):
        assert keeper.gc()["links"] == [[NAME, DIGEST]]


@pytest.mark.options(oci_untagged_lifetime=1)
def test_lease_keeps_a_reported_manifest(alice: RegistryClient, keeper: Upkeep) -> None:
    """A client that was told that a child is there can push an index of it."""
    child = alice.push_image(NAME)
    path = f"/v2/{NAME}/manifests/{digest_of(child)}"
    with later(GRACE * 30):
        assert alice.head(path).status_code == 200
    with later(GRACE * 31 - MINUTE):
        assert keeper.gc()["manifests"] == []
        alice.push_manifest(NAME, index(descriptor(child, OCI_MANIFEST)), "1.0")
    with later(GRACE * 99):
        assert keeper.gc()["manifests"] == []
        assert alice.get(path).data == child


@pytest.mark.options(oci_untagged_lifetime=1)
def test_lease_of_manifest_expires(alice: RegistryClient, keeper: Upkeep) -> None:
    """A manifest that a client asked for but did not use is deleted in the end."""
    child = alice.push_image(NAME)
    with later(GRACE * 30):
        path = f"/v2/{NAME}/manifests/{digest_of(child)}"
        assert alice.head(path).status_code == 200
    with later(GRACE * 30 + LONG):
        assert keeper.gc()["manifests"] == [[NAME, digest_of(child)]]
        assert alice.head(path).status_code == 404
