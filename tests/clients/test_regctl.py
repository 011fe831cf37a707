from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from flask_oci.testing import digest_of
from flask_oci.testing import Image
from flask_oci.testing import make_index
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .images import make_image
from .images import read_layout
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

CHUNK = 1 << 20
ARTIFACT = "application/vnd.example.note"


@pytest.fixture
def regctl(forge: Forge, tmp_path: Path) -> Client:
    """Regctl as alice."""
    environment = {
        "REGCTL_CONFIG": str(tmp_path / "regctl.json"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }
    client = Client((tool("regctl", "regclient, built by Go"),), environment)
    client("registry", "set", "--tls=disabled", forge.host)
    account = ("--user", USERNAME, "--pass-stdin")
    client("registry", "login", *account, forge.host, stdin=PASSWORD)
    return client


@pytest.fixture
def in_chunks(regctl: Client, forge: Forge) -> Client:
    """Regctl that sends every blob in chunks of one MiB."""
    sizes = (f"--blob-chunk={CHUNK}", f"--blob-max={CHUNK}")
    regctl("registry", "set", *sizes, forge.host)
    return regctl


@pytest.fixture
def name(forge: Forge, repository: str) -> str:
    """The name of the repository with its host."""
    return f"{forge.host}/{repository}"


def test_an_image_is_copied_there_and_back(
    regctl: Client,
    remote: Remote,
    repository: str,
    name: str,
    image: Image,
    layout: Path,
    tmp_path: Path,
) -> None:
    """An image comes back as it was sent, byte for byte."""
    regctl("image", "copy", f"ocidir://{layout}:latest", f"{name}:1")
    assert remote.digests(repository, "1") == image.digests
    regctl("image", "copy", f"{name}:1", f"ocidir://{tmp_path}/pulled:1")
    assert read_layout(tmp_path / "pulled") == image.digests


def test_an_image_is_sent_in_chunks(
    in_chunks: Client,
    remote: Remote,
    repository: str,
    name: str,
    image: Image,
    layout: Path,
) -> None:
    """Layers that are sent in several chunks arrive whole."""
    in_chunks("image", "copy", f"ocidir://{layout}:latest", f"{name}:1")
    assert remote.digests(repository, "1") == image.digests


def test_an_index_is_copied_between_repositories(
    regctl: Client,
    remote: Remote,
    forge: Forge,
    another: str,
    name: str,
    root: bytes,
    tmp_path: Path,
) -> None:
    """A copy takes an index along with every image in it."""
    index = make_index(make_image(root, "amd64"), make_image(root, "arm64"))
    layout = index.write(tmp_path / "index")
    regctl("image", "copy", f"ocidir://{layout}:latest", f"{name}:1")
    regctl("image", "copy", f"{name}:1", f"{forge.host}/{another}:2")
    assert remote.digests(another, "2") == index.digests


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_is_sent_in_chunks(in_chunks: Client, name: str, algorithm: str) -> None:
    """A blob comes back as it was sent, named by either algorithm."""
    content = os.urandom(3 * CHUNK + 1)
    digest = digest_of(content, algorithm)
    sent = in_chunks("blob", "put", f"--digest={digest}", name, stdin=content)
    assert sent.strip() == digest
    assert in_chunks.binary("blob", "get", name, digest) == content


def test_an_image_is_named_by_sha512(
    regctl: Client,
    remote: Remote,
    repository: str,
    name: str,
    root: bytes,
    tmp_path: Path,
) -> None:
    """An image whose digests are all sha512 goes there and back under its tag."""
    image = make_image(root, algorithm="sha512")
    layout = image.write(tmp_path / "layout")
    regctl("image", "copy", f"ocidir://{layout}:latest", f"{name}:1")
    assert regctl("image", "digest", f"{name}:1").strip() == image.digest
    assert remote.digests(repository, image.digest) == image.digests
    regctl("image", "copy", f"{name}:1", f"ocidir://{tmp_path}/pulled:1")
    assert read_layout(tmp_path / "pulled") == image.digests


def test_a_manifest_is_pushed_by_its_digest(
    regctl: Client,
    remote: Remote,
    repository: str,
    name: str,
    image: Image,
    layout: Path,
) -> None:
    """A manifest without a tag is found under its digest only."""
    regctl("image", "copy", f"ocidir://{layout}:latest", f"{name}:1")
    regctl("tag", "rm", f"{name}:1")
    regctl("manifest", "rm", f"{name}@{image.digest}")
    put = ("manifest", "put", "--by-digest", f"--content-type={OCI_MANIFEST}", name)
    regctl(*put, stdin=image.manifest)
    assert remote.tags(repository) == []
    assert remote.manifest(repository, image.digest) == image.manifest


def test_referrers_are_found_by_their_type(
    regctl: Client, name: str, layout: Path
) -> None:
    """Referrers of an image are listed, and filtered by their type."""
    regctl("image", "copy", f"ocidir://{layout}:latest", f"{name}:1")
    for kind in (ARTIFACT, f"{ARTIFACT}.other"):
        put = ("artifact", "put", f"--artifact-type={kind}", f"--subject={name}:1")
        regctl(*put, stdin=kind)
    listed = ("artifact", "list", "--format=body", f"{name}:1")
    assert len(json.loads(regctl(*listed))["manifests"]) == 2
    filtered = regctl(*listed, f"--filter-artifact-type={ARTIFACT}")
    [found] = json.loads(filtered)["manifests"]
    assert found["artifactType"] == ARTIFACT
    got = regctl("artifact", "get", f"{name}@{found['digest']}")
    assert got == ARTIFACT


def test_tags_are_listed_and_removed(
    regctl: Client,
    remote: Remote,
    forge: Forge,
    repository: str,
    name: str,
    image: Image,
    layout: Path,
) -> None:
    """`tag rm` takes one tag away and leaves the image to the others."""
    for tag in ("one", "two"):
        regctl("image", "copy", f"ocidir://{layout}:latest", f"{name}:{tag}")
    assert regctl("tag", "ls", name).split() == ["one", "two"]
    assert repository in regctl("repo", "ls", forge.host).split()
    regctl("tag", "rm", f"{name}:one")
    assert regctl("tag", "ls", name).split() == ["two"]
    assert remote.manifest(repository, "two") == image.manifest
