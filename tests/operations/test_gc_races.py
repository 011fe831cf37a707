"""Garbage collections and pushes at the same time, each at every step of the other."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.spec.digest import Digest
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.host import registry
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
BLOB = digest_of(LAYER)
#: One blob is enough for every step, and each step is tried.
MANIFEST = image(config=LAYER)
INDEX = index(descriptor(MANIFEST, OCI_MANIFEST))

Push = t.Callable[[RegistryClient], None]


def push_what_is_missing(client: RegistryClient) -> None:
    """Push an image as docker does: ask for a blob first."""
    if client.head(f"/v2/{NAME}/blobs/{BLOB}").status_code != 200:
        client.push_blob(NAME, LAYER)
    client.push_manifest(NAME, MANIFEST, "1.0")


def push_everything(client: RegistryClient) -> None:
    """Push an image without asking."""
    location = client.start_upload(NAME)
    assert client.put(f"{location}?digest={BLOB}", LAYER).status_code == 201
    client.push_manifest(NAME, MANIFEST, "1.0")


def mount_what_is_there(client: RegistryClient) -> None:
    """Push an image by mounting its blob from where that may be going."""
    query = {"mount": BLOB, "from": "alice/base"}
    response = client.post(f"/v2/{NAME}/blobs/uploads/", query=query)
    if response.status_code != 201:
        put = f"{response.headers['Location']}?digest={BLOB}"
        assert client.put(put, LAYER).status_code == 201
    client.push_manifest(NAME, MANIFEST, "1.0")


def push_an_index(client: RegistryClient) -> None:
    """Push an index, and its child only if that is not there."""
    path = f"/v2/{NAME}/manifests/{digest_of(MANIFEST)}"
    if client.head(path).status_code != 200:
        push_what_is_missing(client)
    client.push_manifest(NAME, INDEX, "latest")


def push_the_manifest_only(client: RegistryClient) -> None:
    """Push a manifest, and its blob only if it is refused without."""
    response = client.put_manifest(NAME, "1.0", MANIFEST)
    if response.status_code != 201:
        assert response.status_code == 400
        push_what_is_missing(client)


def tag(client: RegistryClient) -> None:
    """Push a manifest that may be there, to tag it."""
    push_the_manifest_only(client)


#: The pushes to try if there is a manifest that is not needed.
OF_A_MANIFEST = (push_an_index, tag)

#: On a server, the torture harness tries the others at random.
ON_SERVERS = (push_everything, tag)

PUSHES = [
    pytest.param(
        push, marks=[] if push in ON_SERVERS else [pytest.mark.sqlite_only], id=name
    )
    for name, push in (
        ("push_what_is_missing", push_what_is_missing),
        ("push_everything", push_everything),
        ("mount_what_is_there", mount_what_is_there),
        ("push_the_manifest_only", push_the_manifest_only),
        ("push_an_index", push_an_index),
        ("tag", tag),
    )
]


class Race:
    """A garbage collection and a push, in a new registry for each step.

    :param push: the actions of the client.
    """

    def __init__(self, app: Flask, push: Push) -> None:
        self.app = app
        self.alice = RegistryClient.of(app, "alice")
        self.keeper = Upkeep(app)
        self._push = push

    def push(self) -> None:
        """Push, and succeed."""
        self._push(self.alice)

    def run(self, first: t.Callable[[], object], second: t.Callable[[], object]) -> int:
        """Try every step of the first for the second, and return how many there are."""
        step = 0
        while True:
            self._prepare()
            with later(LONG):
                with interleaved(self.app, second, step) as steps:
                    first()
                if step >= steps.count:
                    break
                self._expect_whole()
                assert not self.keeper.gc()["blobs"]
                self._expect_whole()
                self._clean()
            step += 1
        assert self.keeper.fsck("--scrub") == []
        return step

    def _prepare(self) -> None:
        """Leave images that are about to be collected, and their blobs."""
        for name in (NAME, "alice/base"):
            self.alice.push_blob(name, LAYER)
        if self._push in OF_A_MANIFEST:
            self.alice.push_manifest(NAME, MANIFEST)

    def _expect_whole(self) -> None:
        path = f"/v2/{NAME}/manifests/{digest_of(MANIFEST)}"
        assert self.alice.get(path).data == MANIFEST
        assert self.alice.get(f"/v2/{NAME}/blobs/{BLOB}").data == LAYER

    def _clean(self) -> None:
        for manifest in (INDEX, MANIFEST):
            self.alice.delete(f"/v2/{NAME}/manifests/{digest_of(manifest)}")


@pytest.fixture(name="race", params=PUSHES)
def _race(app: Flask, request: pytest.FixtureRequest) -> Race:
    return Race(app, request.param)


@pytest.mark.slow
@pytest.mark.options(oci_untagged_lifetime=1)
def test_gc_push_at_each_step_succeeds(race: Race) -> None:
    """A push at any step of a garbage collection succeeds, and its content is kept."""
    assert race.run(race.keeper.gc, race.push) > 10


@pytest.mark.slow
@pytest.mark.options(oci_untagged_lifetime=1)
def test_push_gc_at_each_step_is_safe(race: Race) -> None:
    """A garbage collection at any step of a push deletes no content that the client
    relies on, or the client sees the deletion."""
    assert race.run(race.push, race.keeper.gc) > 10


def test_blob_that_is_being_linked_is_kept_without_the_lock_of_the_storage(
    app: Flask,
) -> None:
    """A collection on another machine shares only the database with the push."""
    alice, path = RegistryClient.of(app, "alice"), f"/v2/{NAME}/blobs/{BLOB}"

    def collect() -> None:
        with app.app_context():
            registry._catalog.blob_garbage.delete(Digest.parse(BLOB), utcnow() + LONG)

    step = 0
    while True:
        alice.push_blob(NAME, LAYER)
        alice.delete(path)
        with interleaved(app, collect, step) as steps:
            alice.push_blob(NAME, LAYER)
        assert alice.get(path).data == LAYER, step
        if step >= steps.count:
            break
        step += 1
