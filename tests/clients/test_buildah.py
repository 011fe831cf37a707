from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .images import read_layout
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

BUILT_FILE = "/tmp/built"


@pytest.fixture
def buildah(forge: Forge, tmp_path: Path, short_folder: Path) -> Client:
    """Buildah as alice, with a storage of its own."""
    program = tool("buildah", "Debian's buildah")
    client = Client(
        (
            *(program, f"--root={tmp_path}/storage"),
            *(f"--runroot={short_folder}/{tmp_path.name}", "--storage-driver=vfs"),
        ),
        {
            "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"),
            "BUILDAH_ISOLATION": "chroot",
        },
        # The path of a pulled layout becomes the image's name, which not every
        # path can be, so that the tests name layouts from where they are.
        folder=tmp_path,
    )
    account = ("--username", USERNAME, "--password-stdin")
    client("login", "--tls-verify=false", *account, forge.host, stdin=PASSWORD)
    return client


@pytest.fixture
def base(buildah: Client, forge: Forge, repository: str, layout: Path) -> str:
    """The name of an image that only the registry has."""
    name = f"{forge.host}/{repository}:1"
    identity = buildah("pull", f"oci:{layout.name}:latest").strip()
    buildah("push", "--tls-verify=false", identity, f"docker://{name}")
    buildah("rmi", "--force", identity)
    return name


def test_a_pulled_image_is_the_one_that_was_pushed(
    buildah: Client,
    remote: Remote,
    repository: str,
    image: Image,
    base: str,
    tmp_path: Path,
) -> None:
    """An image comes back with the same config and layers."""
    identity = buildah("pull", "--tls-verify=false", base).strip()
    assert f"sha256:{identity}" in image.digests
    buildah("push", identity, f"oci:{tmp_path}/pulled:1")
    assert read_layout(tmp_path / "pulled") == remote.digests(repository, "1")


def test_an_image_is_built_on_a_pulled_one(
    buildah: Client,
    remote: Remote,
    forge: Forge,
    another: str,
    base: str,
    tmp_path: Path,
) -> None:
    """A build takes its base from the registry, and its result goes there."""
    (tmp_path / "Containerfile").write_text(f"FROM {base}\nRUN touch {BUILT_FILE}\n")
    name = f"{forge.host}/{another}:1"
    buildah("build", "--tls-verify=false", "--network=host", f"--tag={name}", tmp_path)
    buildah("push", "--tls-verify=false", name)
    buildah("rmi", "--all", "--force")
    container = buildah("from", "--tls-verify=false", name).strip()
    assert buildah("run", container, "ls", BUILT_FILE).strip() == BUILT_FILE
    manifest = json.loads(remote.manifest(another, "1"))
    assert len(manifest["layers"]) == 3
