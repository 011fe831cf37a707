"""Layers that one person has, and another pushes, from the same machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.forge import Forge
from tests.support.forge import PASSWORD

from .remote import Remote
from .shell import Client
from .shell import isolated

pytestmark = pytest.mark.real

INSECURE = "--tls-verify=false"


@pytest.fixture(params=["podman", "buildah"])
def client(
    request: pytest.FixtureRequest, tmp_path: Path, short_folder: Path
) -> Client:
    """A program that remembers which repository has which layer."""
    name: str = request.param
    run = short_folder / tmp_path.name
    return isolated(name, f"Debian's {name}", tmp_path, run)


@pytest.fixture
def pushed(
    client: Client, forge: Forge, repository: str, layout: Path
) -> tuple[str, ...]:
    """How to push, once more, the image that alice has pushed and may mount."""
    log_in(client, forge, "alice", PASSWORD)
    identity = client("pull", f"oci:{layout.name}:latest").strip()
    push = ("--log-level=debug", "push", INSECURE, identity)
    client(*push, f"docker://{forge.host}/{repository}:1")
    return push


def test_ones_own_layers_are_mounted(
    client: Client,
    forge: Forge,
    remote: Remote,
    repository: str,
    another: str,
    pushed: tuple[str, ...],
) -> None:
    """Nothing is sent that is in another repository of the same person."""
    said = client.says(*pushed, f"docker://{forge.host}/{another}:1")
    assert said.count("mount OK") == 2
    assert remote.digests(another, "1") == remote.digests(repository, "1")


def test_another_persons_layers_are_sent(
    client: Client, forge: Forge, repository: str, pushed: tuple[str, ...]
) -> None:
    """Who may not read them in the one repository sends them to the other."""
    log_in(client, forge, "bob", "builder")
    said = client.says(*pushed, f"docker://{forge.host}/bob/app:1")
    # It asks for them there, and is told that there are none.
    assert f"HEAD {forge.url}/v2/{repository}/blobs/" in said
    assert "mount OK" not in said
    # Two layers and a config.
    assert len(re.findall(r"Upload of layer \S+ complete", said)) == 3


def log_in(client: Client, forge: Forge, username: str, password: str) -> None:
    """Become somebody."""
    account = (f"--username={username}", "--password-stdin")
    client("login", INSECURE, *account, forge.host, stdin=password)
