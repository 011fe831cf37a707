"""``flask oci check`` on real disks, as far as root can create them."""

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
    """A disk of 4 MiB in memory."""
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.unmount()


def at(make_app: MakeApp, folder: Path) -> Flask:
    """Return an application that stores its blobs there."""
    folder.mkdir(mode=0o750, exist_ok=True)
    return make_app(SECRET_KEY=SECRET, TESTING=False, OCI_STORAGE_PATH=str(folder))


def test_check_with_a_small_disk_in_memory_finds_both(
    make_app: MakeApp, disk: Disk
) -> None:
    """It has no space for a layer, and its content is lost at a restart."""
    app = at(make_app, disk.path / "oci")
    assert check(app, "--user", "alice").codes == {"storage-full", "storage-ephemeral"}


def test_check_with_a_read_only_disk_finds_it(make_app: MakeApp, disk: Disk) -> None:
    """No user can push to it."""
    app = at(make_app, disk.path / "oci")
    disk.remount("ro")
    assert "storage-unwritable" in check(app).codes


def test_check_with_a_disk_inside_the_storage_folder_finds_it(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """An upload cannot become a blob by a rename."""
    app = at(make_app, tmp_path / "oci")
    disk = Disk(tmp_path / "oci" / "blobs")
    try:
        found = check(app, "--user", "alice").codes
    finally:
        disk.unmount()
    assert {"storage-split", "registry-fails"} & found == {"storage-split"}
