"""Files that root creates: they belong to the owner of the storage folder."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import image
from tests.support.archives import layout
from tests.support.archives import listed
from tests.support.archives import tar
from tests.support.check_world import check
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can create files for another user"
)

UNPRIVILEGED = pwd.getpwnam("nobody")


def owners(folder: Path) -> set[int]:
    """Return the owners of all files and folders in a folder."""
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def test_commands_of_root_keep_the_owner_of_the_folder(
    app: Flask, alice: RegistryClient, tmp_path: Path
) -> None:
    """An import and a collection that root runs leave no file of root's."""
    keeper = Upkeep(app)
    keeper.folder.mkdir()
    os.chown(keeper.folder, UNPRIVILEGED.pw_uid, UNPRIVILEGED.pw_gid)
    layer = b"only in the archive"
    members = layout([listed(image(layer), "1.0")], image(layer), CONFIG, layer)
    (tmp_path / "in.tar").write_bytes(tar(members).read())
    result = keeper.run("import", str(tmp_path / "in.tar"), "alice/imported")
    assert result.exit_code == 0, result.output
    assert keeper.run("gc").exit_code == 0
    assert keeper.run("fsck", "--scrub").exit_code == 0
    assert owners(keeper.folder) == {UNPRIVILEGED.pw_uid}


def test_check_names_files_of_another_user(app: Flask, alice: RegistryClient) -> None:
    """The check looks below the folder itself."""
    digest = alice.push_blob("alice/app", b"a layer")
    assert "storage-owners" not in check(app).codes
    path = Upkeep(app).blob(digest)
    os.chown(path, UNPRIVILEGED.pw_uid, UNPRIVILEGED.pw_gid)
    assert str(path) in str(check(app).findings["storage-owners"])
