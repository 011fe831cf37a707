"""Garbage collection: deleted content, output, and ways to start it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

BLOB = b"nobody needs this"
DIGEST = digest_of(BLOB)
WEEK = timedelta(days=7)


@pytest.fixture(name="keeper")
def _keeper(app: Flask) -> Upkeep:
    """An operator who collects garbage."""
    return Upkeep(app)


def test_gc_new_registry_deletes_nothing(keeper: Upkeep) -> None:
    """A collection before the first push finds nothing, and makes no folder."""
    assert keeper.gc() == {
        "uploads": [],
        "manifests": [],
        "links": [],
        "blobs": [],
        "freed": 0,
        "failures": [],
    }
    assert not keeper.folder.exists()


def test_gc_unneeded_blob_is_deleted(alice: RegistryClient, keeper: Upkeep) -> None:
    """A blob that was pushed, and never used, goes with its link, row and file."""
    alice.push_image("alice/app", "1.0")
    alice.push_blob("alice/app", BLOB)

    with later(LONG):
        collected = keeper.gc()

    assert collected["links"] == [["alice/app", DIGEST]]
    assert collected["blobs"] == [DIGEST]
    assert collected["freed"] == len(BLOB)
    assert keeper.blobs() == {digest_of(CONFIG), digest_of(LAYER)}
    assert keeper.rows("Blob") == keeper.rows("RepositoryBlob") == 2
    assert refusal(alice.get(f"/v2/alice/app/blobs/{DIGEST}"))[0] == 404


def test_gc_tagged_content_is_kept(make_app: MakeApp) -> None:
    """All content that a tag needs can be pulled at any later time."""
    app = make_app(OCI_UNTAGGED_LIFETIME=1)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    child = alice.push_image("alice/app", layer=b"of a child")
    whole = index(descriptor(child, OCI_MANIFEST))
    alice.push_manifest("alice/app", whole, "latest")
    alice.push_image("alice/app", "1.0")

    with later(timedelta(days=9999)):
        assert not any(keeper.gc().values())
        for manifest in (whole, child):
            path = f"/v2/alice/app/manifests/{digest_of(manifest)}"
            assert alice.get(path).data == manifest
        for blob in (b"of a child", LAYER, CONFIG):
            path = f"/v2/alice/app/blobs/{digest_of(blob)}"
            assert alice.get(path).data == blob
    assert keeper.fsck() == []


def test_gc_blob_needed_by_one_repository_is_kept(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A blob is taken from the repository that does not need it, and from no other."""
    alice.push_image("alice/app", "1.0")
    alice.push_blob("alice/other", LAYER)

    with later(LONG):
        collected = keeper.gc()

    assert collected["links"] == [["alice/other", digest_of(LAYER)]]
    assert collected["blobs"] == []
    assert alice.get(f"/v2/alice/app/blobs/{digest_of(LAYER)}").data == LAYER
    assert alice.get(f"/v2/alice/other/blobs/{digest_of(LAYER)}").status_code == 404


def test_gc_deleted_blob_is_kept_for_the_grace_period(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """The file of a blob that was deleted goes after the grace period, and no sooner:
    a backup may have begun before."""
    alice.push_blob("alice/app", BLOB)
    with later(WEEK):
        assert alice.delete(f"/v2/alice/app/blobs/{DIGEST}").status_code == 202
        assert keeper.gc()["blobs"] == []
    with later(WEEK + LONG):
        # A repository without the blob cannot extend the time.
        assert alice.delete(f"/v2/alice/app/blobs/{DIGEST}").status_code == 404
        # A repository without the blob cannot extend the time.
        assert alice.delete(f"/v2/alice/app/blobs/{DIGEST}").status_code == 404
        assert keeper.gc()["blobs"] == [DIGEST]
    assert keeper.blobs() == set()


def test_gc_deleted_repository_keeps_blobs_for_the_grace_period(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """The blobs of a deleted repository go a grace period after it, and no sooner."""
    alice.push_image("alice/app", "1.0")
    with later(WEEK):
        with keeper.app.app_context():
            registry.repositories.delete("alice/app")
        assert not any(keeper.gc().values())
    with later(WEEK + LONG):
        assert set(keeper.gc()["blobs"]) == {digest_of(LAYER), digest_of(CONFIG)}
    assert keeper.blobs() == set()


def test_gc_deleted_manifest_keeps_blobs_for_the_grace_period(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """The blobs of a deleted manifest go a grace period after it, and no sooner."""
    manifest = alice.push_image("alice/app", "1.0")
    path = f"/v2/alice/app/manifests/{digest_of(manifest)}"
    with later(WEEK):
        assert alice.delete(path).status_code == 202
        assert not any(keeper.gc().values())
    with later(WEEK + LONG):
        assert set(keeper.gc()["blobs"]) == {digest_of(LAYER), digest_of(CONFIG)}
    assert keeper.blobs() == set()


def test_gc_idle_session_expires(alice: RegistryClient, keeper: Upkeep) -> None:
    """A session without new bytes for a week expires, and its bytes are deleted; a
    younger session can be finished."""
    old = alice.start_upload("alice/app")
    alice.patch(old, b"half a blob")
    with later(timedelta(days=4)):
        young = alice.start_upload("alice/app")
        alice.patch(young, BLOB)
    with later(WEEK + timedelta(hours=1)):
        collected = keeper.gc()
        assert collected["uploads"] == [old.rpartition("/")[2]]
        assert collected["freed"] == len(b"half a blob")
        assert keeper.uploads() == {young.rpartition("/")[2]}
        assert refusal(alice.patch(old, b"more")) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert alice.put(f"{young}?digest={DIGEST}").status_code == 201


def test_gc_active_session_is_kept(alice: RegistryClient, keeper: Upkeep) -> None:
    """A body that takes longer than a session may be idle is not cut off."""
    location = alice.start_upload("alice/app")
    found = []

    def collect() -> None:
        with later(WEEK + timedelta(hours=1)):
            found.append(keeper.gc()["uploads"])

    body = Source(BLOB, on_read=collect).environ(len(BLOB))
    assert alice.patch(location, environ=body).status_code == 202

    assert found
    assert not any(found)
    assert alice.put(f"{location}?digest={DIGEST}").status_code == 201


def test_gc_upload_without_session_is_deleted(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Files that a crash left in the middle of a push are deleted, and unknown files
    are kept."""
    alice.push_image("alice/app", "1.0")
    leftover = keeper.folder / "uploads" / "0a0b0c0d-0000-4000-8000-000000000000"
    leftover.write_bytes(b"half a blob")
    foreign = keeper.folder / "uploads" / "notes.txt"
    foreign.write_bytes(b"of somebody")

    assert not any(keeper.gc().values())
    with later(WEEK + timedelta(hours=1)):
        assert keeper.gc()["uploads"] == [leftover.name]
    assert keeper.uploads() == {"notes.txt"}


def test_gc_file_without_row_is_deleted(alice: RegistryClient, keeper: Upkeep) -> None:
    """A file whose row a crash prevented is removed."""
    alice.push_image("alice/app", "1.0")
    keeper.store(DIGEST, BLOB)
    foreign = keeper.blob(DIGEST).with_name("README")
    foreign.write_bytes(b"of somebody")

    collected = keeper.gc()

    assert collected["blobs"] == [DIGEST]
    assert collected["freed"] == len(BLOB)
    assert not keeper.blob(DIGEST).exists()
    assert foreign.exists()


def test_push_reuses_a_file_without_row(alice: RegistryClient, keeper: Upkeep) -> None:
    """A push of the same bytes makes a blob of a file that a crash left."""
    alice.start_upload("alice/app")
    keeper.store(DIGEST, b"damaged, too")
    assert alice.head(f"/v2/alice/app/blobs/{DIGEST}").status_code == 404

    alice.push_blob("alice/app", BLOB)

    assert not any(keeper.gc().values())
    assert alice.get(f"/v2/alice/app/blobs/{DIGEST}").data == BLOB


def test_gc_empty_database_keeps_files(keeper: Upkeep) -> None:
    """Files are left alone where the database has no repository at all: it may be the
    wrong one."""
    keeper.store(DIGEST, BLOB)
    assert not any(keeper.gc().values())
    assert keeper.blobs() == {DIGEST}


@pytest.fixture(name="littered")
def _littered(make_app: MakeApp) -> tuple[RegistryClient, Upkeep]:
    """A registry that has some of everything that can be collected."""
    app = make_app(OCI_UNTAGGED_LIFETIME=3600)
    alice = RegistryClient.of(app, "alice")
    for name in ("alice/app", "alice/other"):
        alice.push_image(name, "1.0")
        alice.push_image(name, layer=b"of nobody")
        alice.push_blob(name, BLOB)
    alice.push_blob("alice/app", b"deleted")
    path = f"/v2/alice/app/blobs/{digest_of(b'deleted')}"
    assert alice.delete(path).status_code == 202
    alice.patch(alice.start_upload("alice/app"), b"half a blob")
    keeper = Upkeep(app)
    keeper.store(digest_of(b"orphan"), b"orphan")
    return alice, keeper


def test_gc_dry_run_deletes_nothing(littered: tuple[RegistryClient, Upkeep]) -> None:
    """A dry run says what the next run deletes, and deletes nothing."""
    _, keeper = littered
    with later(WEEK * 2):
        before = keeper.blobs(), keeper.uploads(), keeper.rows("Manifest")
        announced = keeper.gc("--dry-run")
        assert (keeper.blobs(), keeper.uploads(), keeper.rows("Manifest")) == before

        done = keeper.gc()

        assert announced == done
        assert len(done["manifests"]) == 2
        assert len(done["links"]) == 2
        assert set(done["blobs"]) == {
            digest_of(content) for content in (BLOB, b"deleted", b"orphan")
        }
        assert len(done["uploads"]) == 1
        assert not any(keeper.gc().values())


def test_gc_output_has_deletions_and_free_space(
    littered: tuple[RegistryClient, Upkeep],
) -> None:
    """An operator reads the deleted objects and the free disk space."""
    _, keeper = littered
    with later(WEEK * 2):
        announced = keeper.run("gc", "--dry-run")
        done = keeper.run("gc")
    for result, verb in ((announced, "Would delete"), (done, "Deleted")):
        assert result.exit_code == 0
        assert not result.stderr
        last = result.stdout.splitlines()[-1]
        assert last == f"{verb} 1 idle upload, 2 manifests and 3 blobs, 41 B."
        assert "alice/other: 1 unreferenced blob" in result.stdout


def test_gc_from_host_code_is_the_same(littered: tuple[RegistryClient, Upkeep]) -> None:
    """A host can collect from its own code, to the same effect."""
    alice, keeper = littered
    with later(WEEK * 2), keeper.app.app_context():
        announced = registry.collect_garbage(dry_run=True)
        assert keeper.blob(DIGEST).exists()
        assert dataclasses.asdict(announced) == dataclasses.asdict(
            registry.collect_garbage()
        )
    assert DIGEST in map(str, announced.blobs)
    assert not keeper.blob(DIGEST).exists()
    assert alice.get(f"/v2/alice/app/blobs/{digest_of(LAYER)}").data == LAYER


def test_repository_of_a_cancelled_first_push_leaves_the_lists(
    app: Flask, alice: RegistryClient
) -> None:
    """One layer arrived, and no manifest. The next push lists it again."""
    alice.push_blob("alice/cancelled", b"a layer")
    session = alice.start_upload("alice/cancelled")
    assert alice.delete(session).status_code == 204
    alice.push_image("alice/kept", "1.0")
    alice.delete("/v2/alice/kept/manifests/1.0")
    visitor, keeper = Visitor(app, "alice"), Upkeep(app)
    assert "alice/cancelled" in visitor.get("/images/").text
    keeper.gc()
    assert "alice/cancelled" in visitor.get("/images/").text
    with later(LONG):
        keeper.gc()
        assert "alice/cancelled" not in visitor.get("/images/").text
        assert "alice/kept" in visitor.get("/images/").text
        assert keeper.run("repositories").stdout.count("alice/") == 1
        alice.push_image("alice/cancelled", "1.0")
        assert "alice/cancelled" in visitor.get("/images/").text
