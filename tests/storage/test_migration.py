"""Moving blobs between the storage folder and a bucket, while clients push and pull."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.errors import Unavailable
from flask_oci.testing import MemoryBucket
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from tests.conftest import MakeApp
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
#: Blobs of one part and of several, and an empty one.
BLOBS = (b"", LAYER, b"config", bytes(range(256)) * 20)
NEW = b"pushed meanwhile"


class Bucket(MemoryBucket):
    """A bucket that can be full, or refuse deletions."""

    is_full = False
    refuses = False

    def put(self, key: str, body: bytes | bytearray) -> None:
        if self.is_full and body == LAYER:
            raise Unavailable("The bucket is full.")
        super().put(key, body)

    def delete_many(self, keys: t.Sequence[str]) -> None:
        if self.refuses:
            raise Unavailable("The bucket is read-only.")
        super().delete_many(keys)


@pytest.fixture(name="bucket")
def _bucket() -> Bucket:
    return Bucket(part_size=1000)


def _images(client: RegistryClient) -> None:
    for content in BLOBS:
        client.push_blob(NAME, content)
        client.push_manifest(NAME, image(config=content), f"v{len(content)}")


def _check(client: RegistryClient, *more: bytes) -> None:
    for content in (*BLOBS, *more):
        path = f"/v2/{NAME}/blobs/{digest_of(content)}"
        assert client.get(path).data == content
        assert client.head(path).status_code == 200


def _migrate(keeper: Upkeep, target: str, *options: str) -> dict[str, t.Any]:
    result = keeper.run("storage", "migrate", "--to", target, "--json", *options)
    assert result.exit_code == 0, result.output
    return t.cast("dict[str, t.Any]", json.loads(result.stdout))


def _status(keeper: Upkeep) -> dict[str, tuple[int, int]]:
    """Return the number of blobs and of discarded places, by store."""
    result = keeper.run("storage", "status", "--json")
    rows = json.loads(result.stdout)
    return {row["store"]: (row["blobs"], row["discarded"]) for row in rows}


def _objects(bucket: MemoryBucket) -> list[str]:
    return [key for key in bucket.objects if key.startswith("data/")]


def test_blobs_are_moved_to_bucket_and_back_while_clients_push(
    make_app: MakeApp, bucket: MemoryBucket
) -> None:
    """Every blob stays readable, and the former bytes are deleted after the grace
    period."""
    app = make_app()
    _images(RegistryClient.of(app, "alice"))
    app = make_app(OCI_STORAGE=bucket)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    _check(alice)
    alice.push_blob(NAME, NEW)
    alice.push_manifest(NAME, image(config=NEW), "new")
    assert _status(keeper) == {"local": (4, 0), "memory": (1, 0)}
    size = sum(map(len, BLOBS))
    assert _migrate(keeper, "memory", "--dry-run") == {"blobs": 4, "bytes": size}
    result = _migrate(keeper, "memory", "--rate", "1GB")
    assert (result["blobs"], result["bytes"]) == (4, size)
    assert _status(keeper) == {"local": (0, 4), "memory": (5, 0)}
    _check(alice, NEW)
    keeper.gc()
    assert len(keeper.blobs()) == 4
    with later(LONG):
        assert "4 discarded files and objects" in keeper.run("gc").output
    assert not keeper.blobs()
    assert keeper.fsck("--scrub") == []
    _check(alice, NEW)

    app = make_app(OCI_STORAGE_ALSO=[bucket])
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    _check(alice, NEW)
    assert _migrate(keeper, "local")["blobs"] == 5
    _check(alice, NEW)
    assert keeper.fsck("--scrub") == []
    with later(LONG):
        keeper.gc()
    assert not _objects(bucket)
    assert _status(keeper) == {"local": (5, 0)}
    text = keeper.run("storage", "status").output
    assert text.endswith("New blobs are stored in local.\n")
    app = make_app()
    _check(RegistryClient.of(app, "alice"), NEW)
    assert Upkeep(app).fsck("--scrub") == []


@pytest.mark.slow
def test_push_at_each_step_of_migration_is_kept(
    make_app: MakeApp, bucket: MemoryBucket
) -> None:
    """A push and a deletion of the moved bytes at each step."""
    client = RegistryClient.of(make_app(), "alice")
    app = make_app(OCI_STORAGE=bucket)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    path = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"
    client.push_blob("alice/base", LAYER)
    client.push_manifest("alice/base", image(config=LAYER), "1")
    kept = f"/v2/alice/base/blobs/{digest_of(LAYER)}"
    at, count = 0, 1
    while at < count:
        client.push_blob(NAME, LAYER)
        _migrate(keeper, "local") if at else None

        def rival() -> None:
            alice.delete(path)
            alice.push_blob(NAME, LAYER)

        with interleaved(app, rival, at) as steps:
            _migrate(keeper, "memory")
        count = steps.count
        assert alice.get(path).data == LAYER, at
        with later(LONG):
            keeper.gc()
            assert alice.get(kept).data == LAYER, at
        at += 1
    assert at > 10
    assert keeper.fsck("--scrub") == []


def test_collection_refuses_while_folder_beside_bucket_is_not_mounted(
    make_app: MakeApp, bucket: Bucket
) -> None:
    """The bucket alone does not prove that the blobs of the folder are lost."""
    _images(RegistryClient.of(make_app(), "alice"))
    keeper = Upkeep(make_app(OCI_STORAGE=bucket))
    _check(RegistryClient.of(keeper.app, "alice"))
    keeper.gc()
    keeper.folder.rename(keeper.folder.with_name("away"))
    for command in (("gc",), ("fsck", "--repair")):
        assert "disk is not mounted" in keeper.run(*command).stderr
    keeper.folder.with_name("away").rename(keeper.folder)
    assert keeper.fsck() == []


def test_former_files_wait_for_a_node_that_has_their_folder(
    make_app: MakeApp, bucket: Bucket
) -> None:
    """A collection on another node, with an empty folder, does not forget them."""
    _images(RegistryClient.of(make_app(), "alice"))
    keeper = Upkeep(make_app(OCI_STORAGE=bucket))
    _migrate(keeper, "memory")
    away = keeper.folder.rename(keeper.folder.with_name("away"))
    with later(LONG):
        keeper.gc()
        assert _status(keeper) == {"local": (0, 4), "memory": (4, 0)}
        away.rename(keeper.folder)
        assert keeper.fsck() == []
        keeper.gc()
    assert not keeper.blobs()
    assert _status(keeper) == {"memory": (4, 0)}


def test_collection_beside_bucket_keeps_files_of_another_registry(
    make_app: MakeApp, bucket: Bucket
) -> None:
    """The folder may be that of another application, or of the former database."""
    app = make_app()
    _images(RegistryClient.of(app, "alice"))
    keeper = Upkeep(make_app(OCI_STORAGE=bucket))
    _migrate(keeper, "memory")
    identity = keeper.folder / "identity"
    own = identity.read_text()
    (keeper.folder / "blobs/sha256/00").mkdir(exist_ok=True)
    unknown = keeper.folder / "blobs/sha256/00" / ("0" * 64)
    unknown.write_bytes(b"theirs")
    identity.write_text("another registry's")
    with later(LONG):
        result = keeper.run("gc")
        assert result.exit_code == 3
        assert "belongs to the database of another registry" in result.stderr
        assert unknown.exists()
        assert len(keeper.blobs()) == 5
        identity.write_text(own)
        keeper.gc()
    assert not keeper.blobs()


def test_interrupted_migration_continues(make_app: MakeApp, bucket: Bucket) -> None:
    """A bucket that refuses a blob loses nothing, and the next run continues."""
    _images(RegistryClient.of(make_app(), "alice"))
    app = make_app(OCI_STORAGE=bucket)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    bucket.is_full = True
    result = keeper.run("storage", "migrate", "--to", "memory")
    assert result.exit_code == 3, result.output
    assert "Moved 3 blobs" in result.stdout
    assert "The bucket is full." in result.stderr
    _check(alice)
    bucket.is_full = False
    assert _migrate(keeper, "memory")["blobs"] == 1
    _check(alice)
    assert len(_objects(bucket)) == len(BLOBS)


def test_migration_to_unknown_store_names_the_known_ones(
    make_app: MakeApp, bucket: MemoryBucket
) -> None:
    keeper = Upkeep(make_app(OCI_STORAGE=bucket))
    result = keeper.run("storage", "migrate", "--to", "s3://nowhere")
    assert result.exit_code == 2
    assert "It has: local, memory." in result.stderr


def test_lost_object_is_404_after_repair_and_the_next_push_replaces_it(
    make_app: MakeApp, bucket: MemoryBucket
) -> None:
    app = make_app(OCI_STORAGE=bucket)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    _images(alice)
    digest = digest_of(LAYER)
    lost = next(k for k, v in bucket.objects.items() if v[0] == LAYER)
    del bucket.objects[lost]
    assert keeper.kinds(status=1) == [("lost", digest)]
    assert keeper.kinds("--repair", status=1) == [("lost", digest)]
    path = f"/v2/{NAME}/blobs/{digest}"
    assert alice.head(path).status_code == 404
    assert alice.put_manifest(NAME, "x", image(config=LAYER)).status_code == 400
    alice.push_blob(NAME, LAYER)
    _check(alice)
    assert keeper.fsck("--scrub") == []


def test_object_without_a_row_is_deleted_after_repair_and_grace_period(
    make_app: MakeApp, bucket: MemoryBucket
) -> None:
    keeper = Upkeep(make_app(OCI_STORAGE=bucket))
    alice = RegistryClient.of(keeper.app, "alice")
    _images(alice)
    bucket.objects["data/00/young"] = (b"young", 4e9)
    bucket.objects["data/00/old"] = (b"old", 1.0)
    assert keeper.kinds() == [("unrecorded", "memory: data/00/old")]
    assert keeper.kinds("--repair") == [("unrecorded", "memory: data/00/old")]
    assert keeper.kinds() == []
    with later(LONG):
        keeper.gc()
    assert "data/00/old" not in bucket.objects
    assert "data/00/young" in bucket.objects
    _check(alice)


def test_known_blob_that_is_pushed_again_leaves_one_object(
    make_app: MakeApp, bucket: MemoryBucket
) -> None:
    """Repeated pushes must not fill the store for the grace period."""
    alice = RegistryClient.of(make_app(OCI_STORAGE=bucket), "alice")
    for _ in range(3):
        alice.push_blob(NAME, LAYER)
    assert len(_objects(bucket)) == 1
    _check_one(alice)


def test_unneeded_object_is_deleted_after_the_grace_period_of_its_row(
    make_app: MakeApp, bucket: Bucket
) -> None:
    """A failed deletion is tried again by the next collection."""
    app = make_app(OCI_STORAGE=bucket)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    alice.push_blob(NAME, LAYER)
    with later(LONG):
        assert keeper.gc()["blobs"] == [digest_of(LAYER)]
        assert len(_objects(bucket)) == 1
    with later(2 * LONG):
        bucket.refuses = True
        assert keeper.run("gc").exit_code == 3
        assert len(_objects(bucket)) == 1
        bucket.refuses = False
        keeper.gc()
    assert not _objects(bucket)


def _check_one(client: RegistryClient) -> None:
    path = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"
    assert client.get(path).data == LAYER


def test_store_that_is_no_longer_read_is_named(
    make_app: MakeApp, bucket: MemoryBucket, tmp_path: Path
) -> None:
    """Its blobs are 404 meanwhile, and are readable again afterwards."""
    _images(RegistryClient.of(make_app(OCI_STORAGE=bucket), "alice"))
    app: Flask = make_app()
    result = Upkeep(app).run("storage", "status")
    assert "memory: 4 blobs" in result.output
    assert "add the store to OCI_STORAGE_ALSO" in result.output
    assert "New blobs are stored in local." in result.output
    found = json.loads(Upkeep(app).run("check", "--json").stdout)
    assert "storage-store-unread" in str(found)
    path = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"
    assert RegistryClient.of(app, "alice").get(path).status_code == 404
    _check(RegistryClient.of(make_app(OCI_STORAGE_ALSO=[bucket]), "alice"))
