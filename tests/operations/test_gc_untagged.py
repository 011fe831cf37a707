"""Garbage collection of untagged manifests."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import GRACE
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
#: For tests of what is kept for its own sake, and not for being young.
AT_ONCE = pytest.mark.options(oci_untagged_lifetime=1, oci_undo_period=None)
FOR_A_WEEK = pytest.mark.options(oci_untagged_lifetime=7 * 24 * 3600)


@pytest.fixture(name="keeper")
def _keeper(app: Flask) -> Upkeep:
    """An operator who collects garbage."""
    return Upkeep(app)


def collected(keeper: Upkeep) -> set[str]:
    """Collect, and return the manifests that went."""
    found = keeper.gc()["manifests"]
    assert all(name == NAME for name, _ in found)
    return {digest for _, digest in found}


def delete_tag(client: RegistryClient, tag: str) -> None:
    """Take a tag away."""
    assert client.delete(f"/v2/{NAME}/manifests/{tag}").status_code == 202


def test_gc_untagged_manifests_are_kept_by_default(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Every pushed manifest can be pulled by its digest, unless the host sets a
    lifetime."""
    manifest = alice.push_image(NAME)
    with later(YEAR):
        assert not any(keeper.gc().values())
        path = f"/v2/{NAME}/manifests/{digest_of(manifest)}"
        assert alice.get(path).data == manifest


@FOR_A_WEEK
def test_gc_never_tagged_manifest_expires(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A manifest that was pushed by its digest is deleted a week after the push."""
    manifest = alice.push_image(NAME)
    with later(7 * DAY - GRACE / 100):
        assert collected(keeper) == set()
    with later(7 * DAY + GRACE / 100):
        assert collected(keeper) == {digest_of(manifest)}


@FOR_A_WEEK
@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_gc_manifest_expires_after_its_tag(
    alice: RegistryClient, keeper: Upkeep, how: str
) -> None:
    """A manifest is deleted a week after its tag, however old the manifest is."""
    manifest = alice.push_image(NAME, "latest")
    with later(YEAR):
        if how == "moved":
            alice.push_image(NAME, "latest", b"a newer layer")
        else:
            delete_tag(alice, "latest")
    with later(YEAR + 7 * DAY - GRACE / 100):
        assert collected(keeper) == set()
    with later(YEAR + 7 * DAY + GRACE / 100):
        assert collected(keeper) == {digest_of(manifest)}


@FOR_A_WEEK
def test_gc_manifest_pushed_again_is_kept(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Pushing a manifest once more makes it young."""
    alice.push_image(NAME)
    with later(6 * DAY):
        manifest = alice.push_image(NAME)
    with later(12 * DAY):
        assert collected(keeper) == set()
    with later(14 * DAY):
        assert collected(keeper) == {digest_of(manifest)}


@AT_ONCE
def test_gc_lifetime_is_at_least_the_grace_period(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A shorter life than the grace period is as long as that."""
    manifest = alice.push_image(NAME)
    with later(GRACE):
        assert collected(keeper) == set()
    with later(LONG):
        assert collected(keeper) == {digest_of(manifest)}


@AT_ONCE
def test_gc_children_are_kept_with_their_index(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """The children of an index stay with it, through any number of indexes, and go
    with it."""
    children = [alice.push_image(NAME, layer=bytes([n])) for n in range(2)]
    inner = index(*(descriptor(child, OCI_MANIFEST) for child in children))
    outer = index(descriptor(inner, OCI_INDEX))
    alice.push_manifest(NAME, inner)
    alice.push_manifest(NAME, outer, "latest")
    with later(YEAR):
        assert collected(keeper) == set()
        delete_tag(alice, "latest")
        assert collected(keeper) == set()
    with later(YEAR + LONG):
        assert collected(keeper) == set(map(digest_of, (*children, inner, outer)))
        assert alice.tags(NAME) == []


@AT_ONCE
def test_gc_child_of_two_indexes_is_kept(alice: RegistryClient, keeper: Upkeep) -> None:
    """A child stays while one of its indexes does."""
    child = descriptor(alice.push_image(NAME), OCI_MANIFEST)
    gone = index(child, annotations={"n": "1"})
    alice.push_manifest(NAME, gone)
    alice.push_manifest(NAME, index(child), "latest")
    with later(YEAR):
        assert collected(keeper) == {digest_of(gone)}
        path = f"/v2/{NAME}/manifests/{child['digest']}"
        assert alice.get(path).status_code == 200


@AT_ONCE
def test_gc_referrers_are_kept_with_their_subject(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Signatures stay with what they sign, even those of children, and signatures of
    signatures; they go with it."""
    child = alice.push_image(NAME)
    alice.push_manifest(NAME, index(descriptor(child, OCI_MANIFEST)), "latest")
    signature = sign(alice, child, b"signature")
    sign(alice, signature, b"countersignature")
    with later(YEAR):
        assert collected(keeper) == set()
        listed = alice.get(f"/v2/{NAME}/referrers/{digest_of(child)}").get_json()
        assert [m["digest"] for m in listed["manifests"]] == [digest_of(signature)]
        delete_tag(alice, "latest")
    with later(YEAR + LONG):
        assert len(collected(keeper)) == 4


@AT_ONCE
def test_gc_subject_of_tagged_referrer_is_kept(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """The subject of a tagged signature is kept, with its own content."""
    subject = alice.push_image(NAME)
    alice.push_manifest(NAME, sign(alice, subject, b"signature"), "signed")
    with later(YEAR):
        assert not any(keeper.gc().values())


@AT_ONCE
def test_gc_referrer_without_subject_expires(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A referrer whose subject was never here, or is gone, is like any other."""
    subject = alice.push_image(NAME, "1.0")
    stays = sign(alice, subject, b"one")
    goes = sign(alice, b"never pushed", b"two")
    with later(YEAR):
        assert collected(keeper) == {digest_of(goes)}
        path = f"/v2/{NAME}/manifests/{digest_of(subject)}"
        assert alice.delete(path).status_code == 202
        assert collected(keeper) == {digest_of(stays)}


@AT_ONCE
def test_gc_tag_keeps_nothing_in_other_repositories(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A tag in one repository keeps nothing in another."""
    manifest = alice.push_image(NAME)
    alice.push_image("alice/other", "1.0")
    with later(YEAR):
        assert collected(keeper) == {digest_of(manifest)}
        path = f"/v2/alice/other/manifests/{digest_of(manifest)}"
        assert alice.get(path).data == manifest


def test_gc_new_lifetime_applies_to_old_manifests(make_app: MakeApp) -> None:
    """A host that begins to collect them finds those of before."""
    app = make_app()
    manifest = RegistryClient.of(app, "alice").push_image(NAME)
    with later(YEAR):
        assert collected(Upkeep(app)) == set()
        app = make_app(OCI_UNTAGGED_LIFETIME=1)
        assert collected(Upkeep(app)) == {digest_of(manifest)}


def sign(client: RegistryClient, subject: bytes, signature: bytes) -> bytes:
    """Push a referrer of a manifest, and return it."""
    return client.push_image(
        NAME, layer=signature, subject=descriptor(subject, OCI_MANIFEST)
    )
