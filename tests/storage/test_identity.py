"""The identity of the storage folder: a folder and a database that do not belong
together are not changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.check_world import check
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

NAME = "alice/app"
UPLOADS = f"/v2/{NAME}/blobs/uploads/"


def assert_pushes_are_refused(alice: RegistryClient, *sessions: str) -> None:
    """Check that no part of a push changes the folder."""
    digest = digest_of(b"x")
    for response in (
        alice.post(UPLOADS),
        alice.post(UPLOADS, b"x", query={"digest": digest}),
        alice.post(UPLOADS, query={"mount": digest_of(LAYER), "from": NAME}),
        *(alice.patch(session, b"x") for session in sessions),
        *(alice.put(with_query(session, digest=digest), b"x") for session in sessions),
        alice.put(
            f"/v2/{NAME}/manifests/3.0",
            image(LAYER, number=3),
            headers={"Content-Type": OCI_MANIFEST},
        ),
    ):
        assert refusal(response) == (503, "UNAVAILABLE")
        assert "storage folder" in response.get_json()["errors"][0]["message"]


def forget_identity(app: Flask) -> None:
    """Delete the identity in the database, as if it were that of another registry."""
    with app.app_context():
        db.session.execute(sa.delete(registry.models.StorageFolder))
        db.session.commit()


def assert_reported(app: Flask) -> None:
    """Check that health, the check and the commands report the folder."""
    with app.app_context():
        health = registry.health()
    assert not health.ok
    assert "storage folder" in str(health.storage)
    assert "storage-identity" in check(app).codes
    keeper = Upkeep(app)
    assert ("foreign", "storage") in keeper.kinds(status=1)
    for command in (["gc"], ["fsck", "--repair"]):
        result = keeper.run(*command)
        assert result.exit_code == 2
        assert result.output.endswith("Ask its operator to run 'flask oci check'.\n")


def test_lost_folder_refuses_pushes_until_it_is_back(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """The disk is not mounted, and the folder below its mount point is empty."""
    app = make_app()
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "1.0", layer=LAYER)
    session = alice.start_upload(NAME)
    (tmp_path / "oci").rename(tmp_path / "unmounted")
    (tmp_path / "oci").mkdir()
    assert_pushes_are_refused(alice, session)
    assert_reported(app)
    assert alice.get(f"/v2/{NAME}/manifests/1.0").status_code == 200
    shutil.rmtree(tmp_path / "oci")
    (tmp_path / "unmounted").rename(tmp_path / "oci")
    assert alice.post(UPLOADS).status_code == 202
    assert Upkeep(app).fsck() == []


@pytest.mark.parametrize("damage", ["empty", "dangling"])
@pytest.mark.parametrize("restarts", [True, False])
def test_lost_blobs_folder_refuses_pushes_until_it_is_back(
    make_app: MakeApp, tmp_path: Path, damage: str, *, restarts: bool
) -> None:
    """The folder with the identity exists, and the disk with the blobs is missing."""
    app = make_app()
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "1.0", layer=LAYER)
    session = alice.start_upload(NAME)
    blobs = Path(app.instance_path) / "oci/blobs"
    blobs.rename(tmp_path / "unmounted")
    if damage == "empty":
        blobs.mkdir()
    else:
        blobs.symlink_to(tmp_path / "nothing")
    if restarts:
        app = make_app()
        alice = RegistryClient.of(app, "alice")
    assert_pushes_are_refused(alice, session)
    assert_reported(app)
    assert not (blobs / "sha256").exists()
    assert alice.get(f"/v2/{NAME}/manifests/1.0").status_code == 200
    blobs.unlink() if damage == "dangling" else blobs.rmdir()
    (tmp_path / "unmounted").rename(blobs)
    assert alice.post(UPLOADS).status_code == 202
    assert Upkeep(app).fsck() == []


def test_adoption_accepts_that_all_blobs_are_lost(make_app: MakeApp) -> None:
    """Pushes then store the blobs again, in all processes."""
    app = make_app()
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "1.0", layer=LAYER)
    shutil.rmtree(Path(app.instance_path) / "oci/blobs")
    assert alice.post(UPLOADS).status_code == 503
    assert Upkeep(make_app()).run("storage", "adopt", "--yes").exit_code == 0
    alice.push_image(NAME, "1.0", layer=LAYER)
    assert Upkeep(app).fsck() == []


def test_folder_of_another_registry_is_not_changed(make_app: MakeApp) -> None:
    """A second application with a new database uses the folder of the first one."""
    first = make_app()
    alice = RegistryClient.of(first, "alice")
    alice.push_image(NAME, "1.0", layer=LAYER)
    with first.app_context():
        identity = db.session.scalar(sa.select(registry.models.StorageFolder.identity))
    Administrator(first).start_afresh()
    second = make_app()
    before = Upkeep(second).blobs()
    assert_pushes_are_refused(RegistryClient.of(second, "alice"))
    assert_reported(second)
    assert Upkeep(second).blobs() == before
    assert (Path(second.instance_path) / "oci/identity").read_text() == identity


def test_adoption_connects_folder_and_database(make_app: MakeApp) -> None:
    """The other registry on the folder then refuses pushes."""
    app = make_app()
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "1.0")
    path = Path(app.instance_path) / "oci/identity"
    other = path.read_text()
    path.write_text("another registry's")
    assert RegistryClient.of(make_app(), "alice").post(UPLOADS).status_code == 503
    result = Upkeep(app).run("storage", "adopt", "--yes")
    assert result.exit_code == 0
    assert "2 of 2 blobs" in result.stderr
    assert path.read_text() != other
    assert RegistryClient.of(make_app(), "alice").post(UPLOADS).status_code == 202
    path.write_text(other)
    assert alice.post(UPLOADS).status_code == 503


def test_copied_database_changes_storage_only_after_adoption(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """A collection with the other database would delete blobs of later pushes."""
    old = make_app()
    push(old, "1.0")
    url = f"sqlite:///{tmp_path}/copied.db"
    result = Upkeep(old).run("copy-database", url)
    assert "run 'flask oci storage adopt'" in result.stderr
    new = make_app(SQLALCHEMY_DATABASE_URI=url)
    assert_pushes_are_refused(RegistryClient.of(new, "alice"))
    assert_reported(new)
    push(old, "1.0")
    assert Upkeep(new).run("storage", "adopt", "--yes").exit_code == 0
    push(new, "2.0")
    assert_pushes_are_refused(RegistryClient.of(old, "alice"))
    assert_reported(old)
    assert Upkeep(new).fsck() == []


def push(app: Flask, tag: str) -> None:
    """Push an image with a layer of its own."""
    RegistryClient.of(app, "alice").push_image(NAME, tag, layer=tag.encode())


def test_adoption_asks_for_confirmation(app: Flask, alice: RegistryClient) -> None:
    """Without an answer, nothing changes."""
    alice.push_image(NAME, "1.0")
    path = Path(app.instance_path) / "oci/identity"
    before = path.read_text()
    assert Upkeep(app).run("storage", "adopt").exit_code == 1
    assert path.read_text() == before


def test_registry_of_an_earlier_version_gets_an_identity(make_app: MakeApp) -> None:
    """If the database has no identity, but the folder has its blobs, the next push
    connects them."""
    app = make_app()
    RegistryClient.of(app, "alice").push_image(NAME, "1.0")
    path = Path(app.instance_path) / "oci/identity"
    before = path.read_text()
    for has_file in (True, False):
        forget_identity(app)
        if not has_file:
            path.unlink()
        client = RegistryClient.of(make_app(), "alice")
        assert client.post(UPLOADS).status_code == 202
        assert (path.read_text() == before) == has_file
        assert Upkeep(make_app()).gc()["failures"] == []


def test_gc_spares_unknown_files_for_the_grace_period(
    app: Flask, alice: RegistryClient
) -> None:
    """A restored database may lack the rows of the latest blobs."""
    alice.push_image(NAME, "1.0")
    keeper, digest = Upkeep(app), digest_of(b"unknown")
    path = keeper.blob(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"unknown")
    assert keeper.gc()["blobs"] == []
    keeper.store(digest, b"unknown")
    assert keeper.gc()["blobs"] == [digest]


def test_check_finds_links_that_lead_nowhere(
    app: Flask, alice: RegistryClient, tmp_path: Path
) -> None:
    """An operator moved the blobs to another disk, which is not mounted."""
    alice.push_image(NAME, "1.0")
    blobs = Path(app.instance_path) / "oci/blobs"
    blobs.rename(tmp_path / "elsewhere")
    blobs.symlink_to(tmp_path / "elsewhere")
    assert "storage-dangling" not in check(app).codes
    (tmp_path / "elsewhere").rename(tmp_path / "gone")
    assert "storage-dangling" in check(app).codes
