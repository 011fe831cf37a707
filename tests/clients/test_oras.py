from __future__ import annotations

import json
import os
from pathlib import Path

import oras.client
import pytest

from flask_oci.testing import digest_of
from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .images import read_layout
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

ARTIFACT = "application/vnd.example.note"
HTTP = "--plain-http"


@pytest.fixture
def cli(forge: Forge, tmp_path: Path) -> Client:
    """The ORAS command as alice, with files of its own to send."""
    (tmp_path / "sent").mkdir()
    environment = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    program = tool("oras", "ORAS, built by Go")
    client = Client((program,), environment, tmp_path / "sent")
    account = ("--username", USERNAME, "--password-stdin")
    client("login", HTTP, *account, forge.host, stdin=PASSWORD)
    return client


@pytest.fixture(params=["basic", "token"])
def python(
    request: pytest.FixtureRequest, forge: Forge, tmp_path: Path
) -> oras.client.OrasClient:
    """The Python package as alice, in each of its ways to say so."""
    backend = request.param
    client = oras.client.OrasClient(forge.host, insecure=True, auth_backend=backend)
    # Without a path, the login would be stored in the configuration of the tester.
    path = str(tmp_path / "config.json")
    client.login(USERNAME, PASSWORD, hostname=forge.host, config_path=path)
    return client


@pytest.fixture
def name(forge: Forge, repository: str) -> str:
    """The name of an artifact."""
    return f"{forge.host}/{repository}:1"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """A file to send."""
    path = tmp_path / "sent" / "note.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(os.urandom(1 << 20))
    return path


def test_a_file_is_pushed_and_pulled(
    cli: Client, name: str, note: Path, tmp_path: Path
) -> None:
    """A file comes back as it was sent, byte for byte."""
    cli("push", HTTP, f"--artifact-type={ARTIFACT}", name, note.name)
    cli("pull", HTTP, f"--output={tmp_path}/pulled", name)
    pulled = (tmp_path / "pulled" / note.name).read_bytes()
    assert digest_of(pulled) == digest_of(note.read_bytes())


def test_an_image_is_copied_there_and_back(
    cli: Client, name: str, image: Image, layout: Path, tmp_path: Path
) -> None:
    """An image comes back as it was sent, byte for byte."""
    cli("cp", "--from-oci-layout", "--to-plain-http", f"{layout}:latest", name)
    cli("cp", "--to-oci-layout", "--from-plain-http", name, f"{tmp_path}/pulled:1")
    assert read_layout(tmp_path / "pulled") == image.digests
    assert cli.binary("manifest", "fetch", HTTP, name) == image.manifest
    assert cli("resolve", HTTP, name).strip() == image.digest


def test_attached_files_are_discovered(
    cli: Client, name: str, image: Image, layout: Path, note: Path, tmp_path: Path
) -> None:
    """`discover` finds by its type what `attach` has attached."""
    cli("cp", "--from-oci-layout", "--to-plain-http", f"{layout}:latest", name)
    for kind in (ARTIFACT, f"{ARTIFACT}.other"):
        cli("attach", HTTP, f"--artifact-type={kind}", name, note.name)
    discover = ("discover", HTTP, "--format=json", "--depth=1")
    assert len(json.loads(cli(*discover, name))["referrers"]) == 2
    filtered = cli(*discover, f"--artifact-type={ARTIFACT}", name)
    [found] = json.loads(filtered)["referrers"]
    assert found["artifactType"] == ARTIFACT

    host = name.removesuffix(":1")
    cli("pull", HTTP, f"--output={tmp_path}/pulled", f"{host}@{found['digest']}")
    pulled = (tmp_path / "pulled" / note.name).read_bytes()
    assert digest_of(pulled) == digest_of(note.read_bytes())


def test_tags_and_repositories_are_listed(
    cli: Client, forge: Forge, repository: str, name: str, note: Path
) -> None:
    """`repo tags` and `repo ls` list what was pushed."""
    cli("push", HTTP, f"{name},2", note.name)
    assert cli("repo", "tags", HTTP, name.removesuffix(":1")).split() == ["1", "2"]
    assert repository in cli("repo", "ls", HTTP, forge.host).split()


def test_blobs_and_manifests_are_deleted(
    cli: Client, remote: Remote, repository: str, name: str, note: Path
) -> None:
    """A deleted manifest is gone, and then its blob may go too."""
    cli("push", HTTP, name, note.name)
    digest = digest_of(note.read_bytes())
    blob = f"{name.removesuffix(':1')}@{digest}"
    cli("manifest", "delete", HTTP, "--force", name)
    assert not remote.exists(repository, "1")
    cli("blob", "delete", HTTP, "--force", blob)
    assert "not found" in cli.refuses("blob", "fetch", HTTP, "--output=-", blob)


def test_the_package_pushes_and_pulls_a_file(
    python: oras.client.OrasClient,
    cli: Client,
    name: str,
    note: Path,
    tmp_path: Path,
) -> None:
    """A file that Python sends comes back to Python and to the command."""
    python.push(target=name, files=[str(note)], disable_path_validation=True)
    [pulled] = python.pull(target=name, outdir=str(tmp_path / "pulled"))
    assert digest_of(Path(pulled).read_bytes()) == digest_of(note.read_bytes())
    assert python.get_tags(name.removesuffix(":1")) == ["1"]
    blob = f"{name.removesuffix(':1')}@{digest_of(note.read_bytes())}"
    fetched = cli.binary("blob", "fetch", HTTP, "--output=-", blob)
    assert digest_of(fetched) == digest_of(note.read_bytes())
