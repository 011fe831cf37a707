from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_oci.testing import Image
from flask_oci.testing import make_index
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .images import make_image
from .images import random_layer
from .images import read_layout
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real


@pytest.fixture
def crane(forge: Forge, tmp_path: Path) -> Client:
    """Crane as alice."""
    program = tool("crane", "go-containerregistry, built by Go")
    client = Client((program,), {"DOCKER_CONFIG": str(tmp_path / "docker")})
    account = (f"--username={USERNAME}", "--password-stdin")
    client("auth", "login", *account, forge.host, stdin=PASSWORD)
    return client


@pytest.fixture
def name(forge: Forge, repository: str) -> str:
    """How crane names an image of the registry."""
    return f"{forge.host}/{repository}:1"


def test_an_image_is_pushed_and_pulled(
    crane: Client, name: str, image: Image, layout: Path, tmp_path: Path
) -> None:
    """An image comes back as it was sent, byte for byte."""
    crane("push", layout, name)
    crane("pull", "--format=oci", name, tmp_path / "pulled")
    assert read_layout(tmp_path / "pulled") == image.digests
    assert crane("digest", name).strip() == image.digest
    assert crane.binary("manifest", name) == image.manifest


def test_what_is_held_is_valid(crane: Client, name: str, layout: Path) -> None:
    """`validate` finds every digest, size and layer as the manifest says."""
    crane("push", layout, name)
    assert "PASS" in crane("validate", "--remote", name)


def test_an_index_is_copied_between_repositories(
    crane: Client,
    forge: Forge,
    remote: Remote,
    repository: str,
    another: str,
    name: str,
    root: bytes,
    tmp_path: Path,
) -> None:
    """`copy` takes an index along with every image in it."""
    index = make_index(make_image(root, "amd64"), make_image(root, "arm64"))
    crane("push", "--index", index.write(tmp_path / "index"), name)
    crane("copy", name, f"{forge.host}/{another}:2")
    # Crane wraps what it finds in a layout into one more index.
    assert remote.digests(another, "2") > index.digests
    assert remote.digests(another, "2") == remote.digests(repository, "1")


def test_tags_and_repositories_are_listed(
    crane: Client, forge: Forge, repository: str, name: str, layout: Path
) -> None:
    """`ls` lists the tags and `catalog` the repositories."""
    crane("push", layout, name)
    crane("tag", name, "2")
    assert crane("ls", f"{forge.host}/{repository}").split() == ["1", "2"]
    assert repository in crane("catalog", forge.host).split()


def test_a_layer_is_appended(
    crane: Client,
    remote: Remote,
    repository: str,
    name: str,
    layout: Path,
    tmp_path: Path,
) -> None:
    """`append` adds a layer to an image that stays in the registry."""
    layer = tmp_path / "layer.tar"
    layer.write_bytes(random_layer())
    crane("push", layout, name)
    crane("append", "--base", name, "--new_layer", layer, "--new_tag", f"{name}-more")
    before = json.loads(remote.manifest(repository, "1"))["layers"]
    after = json.loads(remote.manifest(repository, "1-more"))["layers"]
    assert after[:-1] == before


def test_an_image_is_changed(
    crane: Client, remote: Remote, repository: str, name: str, layout: Path
) -> None:
    """`mutate` changes the config of an image that stays in the registry."""
    crane("push", layout, name)
    crane("mutate", "--label=colour=red", name, "--tag", f"{name}-red")
    config = json.loads(crane("config", f"{name}-red"))
    assert config["config"]["Labels"] == {"colour": "red"}
    before = json.loads(remote.manifest(repository, "1"))["layers"]
    after = json.loads(remote.manifest(repository, "1-red"))["layers"]
    assert after == before


def test_a_deleted_image_is_gone(
    crane: Client,
    forge: Forge,
    remote: Remote,
    repository: str,
    name: str,
    image: Image,
    layout: Path,
) -> None:
    """`delete` removes a tag by its name, and a manifest by its digest."""
    crane("push", layout, name)
    crane("delete", name)
    assert not remote.exists(repository, "1")
    assert remote.exists(repository, image.digest)
    crane("delete", f"{forge.host}/{repository}@{image.digest}")
    assert "MANIFEST_UNKNOWN" in crane.refuses("manifest", name)
    assert not remote.exists(repository, image.digest)
