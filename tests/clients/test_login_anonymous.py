"""Clients without a login, on a forge with private images."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .images import make_image
from .images import root_file_system
from .shell import Client
from .shell import isolated

pytestmark = pytest.mark.real

OPEN = f"{USERNAME}/open"
HIDDEN = f"{USERNAME}/hidden"
ABSENT = f"{USERNAME}/absent"


@dataclasses.dataclass(frozen=True)
class Program:
    """The commands by which a program pulls or inspects the tag "1"."""

    name: str
    source: str
    pull: str
    #: The output for a private image.
    complaint: str = "Authentication is required; use 'docker login'."


PROGRAMS = [
    Program("podman", "Debian's podman", "pull --tls-verify=false {name}"),
    Program("skopeo", "Debian's skopeo", "inspect --tls-verify=false docker://{name}"),
    Program("crane", "go-containerregistry, built by Go", "pull {name} pulled.tar"),
    Program("oras", "ORAS, built by Go", "pull --plain-http {name}"),
    Program("regctl", "regclient, built by Go", "manifest get {name}", "unauthorized"),
]


@pytest.fixture(scope="module", autouse=True)
def published(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """An image of alice in a public and in a private repository."""
    folder = tmp_path_factory.mktemp("images")
    image = make_image(root_file_system(tool("busybox", "Debian's busybox-static")))
    layout = image.write(folder / "layout")
    crane = isolated("crane", "go-containerregistry, built by Go", folder, folder)
    account = (f"--username={USERNAME}", "--password-stdin")
    crane("auth", "login", *account, forge.host, stdin=PASSWORD)
    for repository in (OPEN, HIDDEN):
        crane("push", layout, f"{forge.host}/{repository}:1")
    forge.command("oci", "visibility", OPEN, "public")
    return image


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    """Each of the programs."""
    found: Program = request.param
    return found


@pytest.fixture
def client(
    program: Program, forge: Forge, tmp_path: Path, short_folder: Path
) -> Client:
    """The program without any login."""
    run = short_folder / tmp_path.name
    client = isolated(program.name, program.source, tmp_path, run)
    if program.name == "regctl":
        client("registry", "set", "--tls=disabled", "--skip-check", forge.host)
    return client


def test_anonymous_pull_of_a_public_image_succeeds(
    program: Program, client: Client, forge: Forge
) -> None:
    """No login is needed."""
    client(*program.pull.format(name=f"{forge.host}/{OPEN}:1").split())


def test_anonymous_pull_of_a_private_image_requires_a_login(
    program: Program, client: Client, forge: Forge
) -> None:
    """A missing repository gets the same response."""
    said = []
    for repository in (HIDDEN, ABSENT):
        name = f"{forge.host}/{repository}"
        complaint = client.refuses(*program.pull.format(name=f"{name}:1").split())
        assert program.complaint in complaint
        without_time = re.sub(r'time="[^"]+"', "", complaint)
        said.append(without_time.replace(repository, "NAME"))
    assert said[0] == said[1]


def test_anonymous_docker_pulls_a_public_image(
    stranger: Client, forge: Forge, published: Image
) -> None:
    """No login is needed."""
    name = f"{forge.host}/{OPEN}:1"
    assert published.digest in stranger("pull", name)
    stranger("rmi", name)


@pytest.mark.parametrize("repository", [HIDDEN, ABSENT])
def test_anonymous_docker_does_not_pull_a_private_image(
    stranger: Client, forge: Forge, repository: str
) -> None:
    """Docker prints its own error."""
    said = stranger.refuses("pull", f"{forge.host}/{repository}:1")
    assert "may require 'docker login'" in said
