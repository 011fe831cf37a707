"""Layers of one user that another user pushes from the same machine."""

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
    """A program that remembers the repositories of layers."""
    name: str = request.param
    run = short_folder / tmp_path.name
    return isolated(name, f"Debian's {name}", tmp_path, run)


@pytest.fixture
def pushed(
    client: Client, forge: Forge, repository: str, layout: Path
) -> tuple[str, ...]:
    """A function that pushes alice's image again."""
    log_in(client, forge, "alice", PASSWORD)
    identity = client("pull", f"oci:{layout.name}:latest").strip()
    push = ("--log-level=debug", "push", INSECURE, identity)
    client(*push, f"docker://{forge.host}/{repository}:1")
    return push


def test_push_mounts_layers_of_own_repositories(
    client: Client,
    forge: Forge,
    remote: Remote,
    repository: str,
    another: str,
    pushed: tuple[str, ...],
) -> None:
    """Nothing is sent."""
    said = client.says(*pushed, f"docker://{forge.host}/{another}:1")
    assert said.count("mount OK") == 2
    assert remote.digests(another, "1") == remote.digests(repository, "1")


def test_push_sends_layers_of_other_users(
    client: Client, forge: Forge, repository: str, pushed: tuple[str, ...]
) -> None:
    """A user without read access to the other repository sends them."""
    log_in(client, forge, "bob", "builder")
    said = client.says(*pushed, f"docker://{forge.host}/bob/app:1")
    # The client requests a mount, and the registry refuses it.
    assert f"HEAD {forge.url}/v2/{repository}/blobs/" in said
    assert "mount OK" not in said
    # Two layers and a config.
    assert len(re.findall(r"Upload of layer \S+ complete", said)) == 3


def log_in(client: Client, forge: Forge, username: str, password: str) -> None:
    """Log in as a user."""
    account = (f"--username={username}", "--password-stdin")
    client("login", INSECURE, *account, forge.host, stdin=password)
