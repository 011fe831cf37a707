"""What the check says about disks: real ones, and as far as root can make them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask

from tests.storage.test_real_faults import Disk
from tests.support.check_world import check
from tests.support.check_world import SECRET

pytestmark = pytest.mark.real

MakeApp = t.Callable[..., Flask]


@pytest.fixture(name="disk")
def _disk(tmp_path: Path) -> t.Iterator[Disk]:
    """A disk of four mebibytes, in memory."""
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.unmount()


def at(make_app: MakeApp, folder: Path) -> Flask:
    """Make an application whose blobs are there."""
    folder.mkdir(mode=0o750, exist_ok=True)
    return make_app(SECRET_KEY=SECRET, TESTING=False, OCI_STORAGE_PATH=str(folder))


def test_a_small_disk_that_forgets(make_app: MakeApp, disk: Disk) -> None:
    """It has no room for a layer, and nothing is left after the power."""
    app = at(make_app, disk.path / "oci")
    assert check(app, "--user", "alice").codes == {"storage-full", "storage-forgetful"}


def test_a_disk_that_is_read_only(make_app: MakeApp, disk: Disk) -> None:
    """Nobody can push to it."""
    app = at(make_app, disk.path / "oci")
    disk.remount("ro")
    assert "storage-unwritable" in check(app).codes


def test_a_disk_in_the_middle_of_the_folder(make_app: MakeApp, tmp_path: Path) -> None:
    """What is uploaded cannot become a blob there by a rename."""
    app = at(make_app, tmp_path / "oci")
    disk = Disk(tmp_path / "oci" / "blobs")
    try:
        found = check(app, "--user", "alice").codes
    finally:
        disk.unmount()
    assert {"storage-torn", "registry-fails"} & found == {"storage-torn"}
