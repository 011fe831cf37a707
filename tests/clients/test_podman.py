from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME

from .images import make_image
from .images import read_layout
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real


@pytest.fixture
def alice(podman: Client, forge: Forge) -> Client:
    """The same podman, logged in."""
    podman(*_login(forge), stdin=PASSWORD)
    return podman


def test_login_accepts_the_password_of_the_forge(podman: Client, forge: Forge) -> None:
    """`podman login` succeeds with the password of the forge."""
    assert "Login Succeeded" in podman(*_login(forge), stdin=PASSWORD)


def test_login_refuses_a_wrong_password(podman: Client, forge: Forge) -> None:
    """`podman login` says that a wrong password is wrong."""
    said = podman.refuses(*_login(forge), stdin="looking-glass")
    assert "invalid username/password" in said


def test_a_pulled_image_is_the_one_that_was_pushed(
    alice: Client,
    forge: Forge,
    remote: Remote,
    repository: str,
    image: Image,
    layout: Path,
    tmp_path: Path,
) -> None:
    """An image comes back with the same manifest, config and layers."""
    name = f"{forge.host}/{repository}:1"
    identity = alice("pull", f"oci:{layout.name}:latest").strip()
    alice("push", "--tls-verify=false", identity, name)
    pushed = remote.digests(repository, "1")
    alice("rmi", "--force", identity)
    assert alice("pull", "--tls-verify=false", name).strip() == identity
    alice("push", name, f"oci:{tmp_path}/pulled:1")
    assert read_layout(tmp_path / "pulled") == pushed
    assert f"sha256:{identity}" in pushed & image.digests


def test_a_pulled_image_runs(
    alice: Client, forge: Forge, repository: str, layout: Path
) -> None:
    """A container of a pulled image says what it is told to say."""
    name = f"{forge.host}/{repository}:1"
    identity = alice("pull", f"oci:{layout.name}:latest").strip()
    alice("push", "--tls-verify=false", identity, name)
    alice("rmi", "--force", identity)
    alice("pull", "--tls-verify=false", name)
    # By default podman raises limits, which not every machine's root may.
    limits = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
    run = ("--runtime=runc", "run", "--rm", "--network=none", *limits, name)
    assert alice(*run, "/bin/busybox", "echo", "curiouser") == "curiouser\n"


def test_an_image_is_pulled_by_its_digest(
    alice: Client,
    forge: Forge,
    repository: str,
    layout: Path,
    tmp_path: Path,
) -> None:
    """The digest that a push writes down names the image."""
    name = f"{forge.host}/{repository}"
    file = tmp_path / "digest"
    identity = alice("pull", f"oci:{layout.name}:latest").strip()
    push = ("push", "--tls-verify=false", f"--digestfile={file}", identity)
    alice(*push, f"{name}:1")
    alice("rmi", "--force", identity)
    by_digest = f"{name}@{file.read_text()}"
    assert alice("pull", "--tls-verify=false", by_digest).strip() == identity


def test_a_manifest_list_is_pushed_with_its_images(
    alice: Client,
    forge: Forge,
    remote: Remote,
    repository: str,
    root: bytes,
    tmp_path: Path,
) -> None:
    """`podman manifest push --all` sends a list and all that it lists."""
    images = [make_image(root, "amd64"), make_image(root, "arm64")]
    alice("manifest", "create", "many")
    for each in images:
        layout = each.write(tmp_path / str(each.architecture))
        alice("manifest", "add", "many", f"oci:{layout}:latest")
    target = f"docker://{forge.host}/{repository}:many"
    alice("manifest", "push", "--all", "--tls-verify=false", "many", target)
    held = remote.digests(repository, "many")
    assert held > set.union(*(each.digests for each in images))


def test_tags_are_listed(
    alice: Client, forge: Forge, repository: str, layout: Path
) -> None:
    """`podman search --list-tags` lists what was pushed."""
    name = f"{forge.host}/{repository}"
    identity = alice("pull", f"oci:{layout.name}:latest").strip()
    for tag in ("one", "two"):
        alice("push", "--tls-verify=false", identity, f"{name}:{tag}")
    search = ("search", "--tls-verify=false", "--list-tags", "--format=json", name)
    assert json.loads(alice(*search))[0]["Tags"] == ["one", "two"]


def _login(forge: Forge) -> tuple[str, ...]:
    account = ("--username", USERNAME, "--password-stdin")
    return ("login", "--tls-verify=false", *account, forge.host)
