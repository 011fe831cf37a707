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
from .images import read_layout
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

# Skopeo names the side of a copy that is a registry.
TO = "--dest-tls-verify=false"
FROM = "--src-tls-verify=false"
INSECURE = "--tls-verify=false"


@pytest.fixture
def skopeo(forge: Forge, tmp_path: Path) -> Client:
    """Skopeo as alice."""
    program = tool("skopeo", "Debian's skopeo")
    client = Client((program,), {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")})
    account = ("--username", USERNAME, "--password-stdin")
    client("login", INSECURE, *account, forge.host, stdin=PASSWORD)
    return client


@pytest.fixture
def name(forge: Forge, repository: str) -> str:
    """How skopeo names an image of the registry."""
    return f"docker://{forge.host}/{repository}:1"


def test_an_image_is_copied_there_and_back(
    skopeo: Client,
    remote: Remote,
    repository: str,
    name: str,
    image: Image,
    layout: Path,
    tmp_path: Path,
) -> None:
    """An image comes back as it was sent, byte for byte."""
    skopeo("copy", TO, f"oci:{layout}:latest", name)
    assert remote.digests(repository, "1") == image.digests
    skopeo("copy", FROM, name, f"oci:{tmp_path}/pulled:1")
    assert read_layout(tmp_path / "pulled") == image.digests


def test_an_image_is_copied_as_docker_would_have_it(
    skopeo: Client, remote: Remote, repository: str, name: str, layout: Path
) -> None:
    """An image of Docker's own format keeps that format."""
    skopeo("copy", TO, "--format=v2s2", f"oci:{layout}:latest", name)
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    assert json.loads(remote.manifest(repository, "1"))["mediaType"] == kind
    assert json.loads(skopeo("inspect", INSECURE, "--raw", name))["mediaType"] == kind


def test_all_platforms_are_copied(
    skopeo: Client,
    remote: Remote,
    forge: Forge,
    repository: str,
    another: str,
    name: str,
    root: bytes,
    tmp_path: Path,
) -> None:
    """`copy --all` takes an index along with every image in it, from place to place."""
    index = make_index(make_image(root, "amd64"), make_image(root, "arm64"))
    layout = index.write(tmp_path / "index")
    elsewhere = f"docker://{forge.host}/{another}:2"
    skopeo("copy", "--all", TO, f"oci:{layout}:latest", name)
    assert remote.digests(repository, "1") == index.digests
    skopeo("copy", "--all", FROM, TO, name, elsewhere)
    assert remote.digests(another, "2") == index.digests
    skopeo("copy", "--all", FROM, elsewhere, f"oci:{tmp_path}/pulled:2")
    assert read_layout(tmp_path / "pulled") == index.digests


def test_an_image_is_inspected_without_being_pulled(
    skopeo: Client, name: str, image: Image, layout: Path
) -> None:
    """`inspect` tells digest, tags and layers, and `--raw` the very manifest."""
    skopeo("copy", TO, f"oci:{layout}:latest", name)
    found = json.loads(skopeo("inspect", INSECURE, name))
    assert found["Digest"] == image.digest
    assert found["RepoTags"] == ["1"]
    assert {*found["Layers"]} < image.digests
    assert skopeo.binary("inspect", INSECURE, "--raw", name) == image.manifest


def test_a_deleted_image_is_gone(
    skopeo: Client, remote: Remote, repository: str, name: str, layout: Path
) -> None:
    """After `delete`, neither the tag nor the digest is there."""
    skopeo("copy", TO, f"oci:{layout}:latest", name)
    digest = json.loads(skopeo("inspect", INSECURE, name))["Digest"]
    skopeo("delete", INSECURE, name)
    assert remote.tags(repository) == []
    assert not remote.exists(repository, digest)
    assert "manifest unknown" in skopeo.refuses("inspect", INSECURE, name)
