"""Consistency checks and repairs."""

from __future__ import annotations

import shutil

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
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.support.host import DATABASE_URL
from tests.support.host import registry
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

DIGEST = digest_of(LAYER)
BLOB = f"/v2/alice/app/blobs/{DIGEST}"
DAMAGED = b"b layer"
UNNEEDED = b"nobody needs this"
models = registry.models


@pytest.fixture(name="manifest")
def _manifest(alice: RegistryClient) -> bytes:
    """An image in two repositories."""
    alice.push_image("alice/other", "1.0")
    return alice.push_image("alice/app", "1.0")


@pytest.fixture(name="keeper")
def _keeper(app: Flask, manifest: bytes) -> Upkeep:
    """An operator who checks the registry."""
    return Upkeep(app)


def test_check_new_registry_finds_nothing(app: Flask) -> None:
    """A check before the first push finds nothing, and makes no folder."""
    keeper = Upkeep(app)
    result = keeper.run("fsck", "--repair")
    assert (result.exit_code, result.stdout) == (
        0,
        "No problems found.\n",
    )
    assert not keeper.folder.exists()


def test_check_intact_registry_finds_nothing(
    keeper: Upkeep, alice: RegistryClient
) -> None:
    """Pushed content, upload sessions, locks and files that a crash left are not
    reported."""
    alice.patch(alice.start_upload("alice/app"), b"half a blob")
    foreign = {"descriptor": {**descriptor(b"far away", FOREIGN), "urls": ["http://x"]}}
    alice.push_manifest("alice/app", image(LAYER, foreign["descriptor"]), "windows")
    (keeper.folder / "scrub.new").write_text("sha256:12")
    (keeper.folder / "lost+found").mkdir()
    (keeper.folder / "blobs" / "sha256" / "README").write_text("of somebody")
    assert keeper.fsck("--scrub", "--repair") == []


FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def test_check_lost_file_is_repaired_by_a_push(
    keeper: Upkeep, alice: RegistryClient, manifest: bytes
) -> None:
    """A blob whose file is lost is reported, is absent for every client, and is
    repaired in each repository by one push."""
    keeper.blob(DIGEST).unlink()

    assert keeper.kinds(status=1) == [("lost", DIGEST)]
    for method in ("HEAD", "GET"):
        assert alice.request(method, BLOB).status_code == 404
    mounted = alice.post(
        "/v2/alice/new/blobs/uploads/", query={"mount": DIGEST, "from": "alice/app"}
    )
    assert mounted.status_code == 202
    refused = alice.put_manifest("alice/app", "2.0", manifest)
    assert refusal(refused) == (400, "MANIFEST_BLOB_UNKNOWN")
    (problem,) = keeper.fsck("--repair", status=1)
    assert "alice/app, alice/other" in problem["message"]

    alice.push_blob("alice/app", LAYER)

    assert keeper.fsck() == []
    for name in ("alice/app", "alice/other"):
        assert alice.get(f"/v2/{name}/blobs/{DIGEST}").data == LAYER


def test_repair_lost_unneeded_blob_deletes_its_row(
    keeper: Upkeep, alice: RegistryClient
) -> None:
    """The row of a lost blob that no manifest needs is taken back by a repair."""
    keeper.blob(alice.push_blob("alice/app", UNNEEDED)).unlink()
    before = keeper.rows("Blob")

    assert keeper.kinds(status=1) == [("lost", digest_of(UNNEEDED))]
    (problem,) = keeper.fsck("--repair")

    assert problem["repaired"]
    assert keeper.fsck() == []
    assert keeper.rows("Blob") == before - 1


def test_check_lost_folder_reports_all_blobs(
    keeper: Upkeep, alice: RegistryClient
) -> None:
    """When the whole folder is gone, everything that was in it is reported, and can be
    pushed again once the operator has accepted the loss."""
    shutil.rmtree(keeper.folder)

    lost = [("lost", digest_of(blob)) for blob in (CONFIG, LAYER)]
    found = keeper.kinds("--scrub", status=1)
    assert sorted(found) == sorted([("foreign", "storage"), *lost])
    assert keeper.run("gc").exit_code == 2
    assert keeper.run("fsck", "--repair").exit_code == 2
    assert keeper.run("storage", "adopt", "--yes").exit_code == 0
    assert sorted(keeper.kinds("--scrub", status=1)) == sorted(lost)
    assert not any(keeper.gc().values())

    for blob in (CONFIG, LAYER):
        assert alice.head(f"/v2/alice/app/blobs/{digest_of(blob)}").status_code == 404
        alice.push_blob("alice/app", blob)
    assert keeper.fsck("--scrub") == []


@pytest.mark.parametrize("content", [b"", LAYER[:-1], LAYER + b"!"])
def test_check_file_of_wrong_size_is_quarantined(
    keeper: Upkeep, alice: RegistryClient, content: bytes
) -> None:
    """A file that has been cut, or grown, is not served, and is put aside."""
    keeper.store(DIGEST, content)

    assert keeper.kinds(status=1) == [("damaged", DIGEST)]
    assert alice.head(BLOB).status_code == alice.get(BLOB).status_code == 404
    assert keeper.kinds("--repair", status=1) == [("damaged", DIGEST)]
    assert keeper.quarantined() == [content]
    alice.push_blob("alice/app", LAYER)
    assert keeper.fsck() == []
    assert alice.get(BLOB).data == LAYER


def test_scrub_changed_bytes_are_quarantined(
    keeper: Upkeep, alice: RegistryClient
) -> None:
    """Bytes that have changed are found by a scrub, and put aside by a repair, so that
    the next push brings them anew."""
    keeper.store(DIGEST, DAMAGED)

    assert keeper.fsck() == []
    assert keeper.kinds("--scrub", status=1) == [("damaged", DIGEST)]
    assert keeper.blob(DIGEST).read_bytes() == DAMAGED
    assert keeper.kinds("--scrub", "--repair", status=1) == [("damaged", DIGEST)]
    assert keeper.quarantined() == [DAMAGED]
    assert alice.head(BLOB).status_code == 404
    alice.push_blob("alice/other", LAYER)
    assert keeper.fsck("--scrub") == []
    assert alice.get(BLOB).data == LAYER


def test_push_replaces_changed_bytes(keeper: Upkeep, alice: RegistryClient) -> None:
    """Pushing a blob that is there replaces its bytes, with no check before."""
    keeper.store(DIGEST, DAMAGED)
    alice.push_blob("alice/app", LAYER)
    assert alice.get(BLOB).data == LAYER
    assert keeper.fsck("--scrub") == []


def test_repair_damaged_unneeded_blob_is_quarantined(
    keeper: Upkeep, alice: RegistryClient
) -> None:
    """A damaged blob that nothing needs is put aside, and that is all."""
    keeper.store(alice.push_blob("alice/app", UNNEEDED), bytes(len(UNNEEDED)))
    (problem,) = keeper.fsck("--scrub", "--repair")
    assert problem["repaired"]
    assert keeper.fsck("--scrub") == []


def test_repair_keeps_quarantined_files(keeper: Upkeep, alice: RegistryClient) -> None:
    """A quarantined file stays, even if the same blob is damaged again."""
    for content in (b"b layer", b"c layer"):
        keeper.store(DIGEST, content)
        keeper.fsck("--scrub", "--repair", status=1)
        alice.push_blob("alice/app", LAYER)
    assert keeper.quarantined() == [b"b layer", b"c layer"]


def test_check_file_without_row_is_harmless(keeper: Upkeep) -> None:
    """A file without a row is reported, but does not make the check fail."""
    keeper.store(digest_of(UNNEEDED), UNNEEDED)
    assert keeper.kinds("--repair") == [("unrecorded", digest_of(UNNEEDED))]
    assert keeper.blob(digest_of(UNNEEDED)).exists()


def test_check_missing_layer_is_reported(keeper: Upkeep, alice: RegistryClient) -> None:
    """A manifest whose layer its repository does not hold is reported."""
    Blob, Link = models.Blob, models.RepositoryBlob
    layer = sa.select(Blob.id).where(Blob.digest == DIGEST).scalar_subquery()
    keeper.execute(sa.delete(Link).where(Link.blob_id == layer))

    assert keeper.kinds(status=1) == [("dangling", DIGEST)] * 2
    alice.push_blob("alice/app", LAYER)
    alice.push_blob("alice/other", LAYER)
    assert keeper.fsck() == []


def test_check_missing_child_is_reported(
    keeper: Upkeep, alice: RegistryClient, manifest: bytes
) -> None:
    """An index whose child its repository does not hold is reported, unless the host
    has said that this is no mistake."""
    child = alice.push_image("alice/app", layer=b"of a child")
    alice.push_manifest("alice/app", index(descriptor(child, OCI_MANIFEST)), "latest")
    Row, Reference = models.Manifest, models.ManifestReference
    key = sa.select(Row.id).where(Row.digest == digest_of(child)).scalar_subquery()
    keeper.execute(sa.delete(Reference).where(Reference.manifest_id == key))
    keeper.execute(sa.delete(Row).where(Row.digest == digest_of(child)))

    (problem,) = keeper.fsck(status=1)
    assert (problem["kind"], problem["subject"]) == ("dangling", digest_of(child))
    assert "alice/app" in problem["message"]


def test_check_sparse_index_is_harmless(make_app: MakeApp) -> None:
    """Missing content does not make the check fail if the host allows it."""
    app = make_app(OCI_ALLOW_SPARSE=True)
    manifest = index(descriptor(image(LAYER), OCI_MANIFEST))
    RegistryClient.of(app, "alice").push_manifest("alice/app", manifest, "latest")
    (problem,) = Upkeep(app).fsck()
    assert problem["harmless"]


ONLY_SQLITE = pytest.mark.skipif(
    DATABASE_URL is not None, reason="a server does not let a key point at nothing"
)


@pytest.mark.parametrize(
    "points_at", ["another repository", pytest.param("nothing", marks=ONLY_SQLITE)]
)
def test_repair_misplaced_tag_is_deleted(
    keeper: Upkeep, alice: RegistryClient, bob: RegistryClient, points_at: str
) -> None:
    """A tag that points out of its repository shows no content, is reported, and is
    deleted by a repair."""
    foreign = bob.push_image("bob/private", layer=b"of bob")
    Row, Tag, Repository = models.Manifest, models.Tag, models.Repository
    key = sa.select(Row.id).where(Row.digest == digest_of(foreign)).scalar_subquery()
    app_id = (
        sa.select(Repository.id).where(Repository.name == "alice/app").scalar_subquery()
    )
    keeper.execute(
        sa.update(Tag).where(Tag.repository_id == app_id).values(manifest_id=key)
    )
    if points_at == "nothing":
        keeper.execute(
            sa.update(Row)
            .where(Row.digest == digest_of(foreign))
            .values(id=Row.id + 1000)
        )

    assert keeper.kinds(status=1) == [("misplaced", "alice/app:1.0")]
    assert alice.get("/v2/alice/app/manifests/1.0").status_code == 404
    assert keeper.kinds("--repair")[0] == ("misplaced", "alice/app:1.0")
    assert alice.tags("alice/app") == []


def test_repair_keeps_a_tag_that_is_pushed_meanwhile(
    app: Flask, keeper: Upkeep, alice: RegistryClient, bob: RegistryClient
) -> None:
    """A repair does not delete a tag that was pushed after the repair had read it."""
    foreign = bob.push_image("bob/private", layer=b"of bob")
    manifest = image(LAYER)
    Row, Tag, Repository = models.Manifest, models.Tag, models.Repository
    other = sa.select(Row.id).where(Row.digest == digest_of(foreign)).scalar_subquery()
    key = sa.select(Repository.id).where(Repository.name == "alice/app")
    misplaced = (
        sa.update(Tag)
        .where(Tag.repository_id == key.scalar_subquery(), Tag.name == "1.0")
        .values(manifest_id=other)
    )

    def rival() -> None:
        alice.push_manifest("alice/app", manifest, "1.0")

    keeper.execute(misplaced)
    with interleaved(app, rival) as steps:
        keeper.kinds("--repair")
    for step in range(steps.count):
        rival()
        keeper.execute(misplaced)
        with interleaved(app, rival, step):
            keeper.fsck("--repair")
        assert alice.tags("alice/app") == ["1.0"]


def test_check_damaged_manifest_is_reported(keeper: Upkeep, manifest: bytes) -> None:
    """A manifest whose bytes have changed in the database is reported."""
    Row = models.Manifest
    changed = manifest.replace(b"amd64", b"arm64") + b" "
    keeper.execute(
        sa.update(Row).where(Row.digest == digest_of(manifest)).values(content=changed)
    )
    assert keeper.kinds(status=1) == [("damaged", digest_of(manifest))] * 2


def test_check_output_has_problem_remedy_and_progress(keeper: Upkeep) -> None:
    """An operator reads the problem, the remedy and the progress."""
    keeper.blob(DIGEST).unlink()
    result = keeper.run("fsck", "--scrub")
    assert result.exit_code == 1
    assert result.stdout == (
        f"lost: {DIGEST}\n"
        "  The blob should have 7 bytes and has no file. Push it again.\n"
    )
    assert not result.stderr
