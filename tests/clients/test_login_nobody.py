"""What somebody can do who has not logged in, on a forge that has secrets."""

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
    """How one program pulls, or looks at, what a repository has as "1"."""

    name: str
    source: str
    pull: str
    #: What it says where it may not.
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
    """The image that alice has twice: for everybody, and for herself."""
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
    """The same, with nothing that anybody has logged in with."""
    run = short_folder / tmp_path.name
    client = isolated(program.name, program.source, tmp_path, run)
    if program.name == "regctl":
        client("registry", "set", "--tls=disabled", "--skip-check", forge.host)
    return client


def test_what_is_public_is_pulled(
    program: Program, client: Client, forge: Forge
) -> None:
    """Everybody has it."""
    client(*program.pull.format(name=f"{forge.host}/{OPEN}:1").split())


def test_what_is_private_is_not(program: Program, client: Client, forge: Forge) -> None:
    """They are told to log in, whether or not there is anything to see."""
    said = []
    for repository in (HIDDEN, ABSENT):
        name = f"{forge.host}/{repository}"
        complaint = client.refuses(*program.pull.format(name=f"{name}:1").split())
        assert program.complaint in complaint
        without_time = re.sub(r'time="[^"]+"', "", complaint)
        said.append(without_time.replace(repository, "NAME"))
    assert said[0] == said[1]


def test_docker_pulls_what_is_public(
    stranger: Client, forge: Forge, published: Image
) -> None:
    """Docker has it, too."""
    name = f"{forge.host}/{OPEN}:1"
    assert published.digest in stranger("pull", name)
    stranger("rmi", name)


@pytest.mark.parametrize("repository", [HIDDEN, ABSENT])
def test_docker_does_not_pull_what_is_private(
    stranger: Client, forge: Forge, repository: str
) -> None:
    """Docker finds words of its own for it."""
    said = stranger.refuses("pull", f"{forge.host}/{repository}:1")
    assert "may require 'docker login'" in said
