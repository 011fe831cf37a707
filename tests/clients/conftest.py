from __future__ import annotations

import itertools
import os
import tempfile
import typing as t
from pathlib import Path

import pytest

from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .engine import running_engine
from .images import make_image
from .images import root_file_system
from .remote import Remote
from .shell import Client

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def forge() -> t.Iterator[Forge]:
    """The example forge as deployed, with its defaults, on SQLite or on the empty
    database of ``FORGE_DATABASE_URL``."""
    url = os.environ.get("FORGE_DATABASE_URL")
    settings = {"DATABASE_URL": url} if url else {}
    with Forge("gunicorn", **settings) as started:
        yield started


@pytest.fixture(scope="session")
def remote(forge: Forge) -> Remote:
    """Direct access to the registry, without a client."""
    return Remote(forge)


@pytest.fixture
def repository() -> str:
    """A repository that no other test uses."""
    return f"{USERNAME}/project{next(_numbers)}"


@pytest.fixture
def another() -> str:
    """A second repository of the same person."""
    return f"{USERNAME}/project{next(_numbers)}"


@pytest.fixture
def root() -> bytes:
    """The layer that makes an image executable."""
    return root_file_system(tool("busybox", "Debian's busybox-static"))


@pytest.fixture
def image(root: bytes) -> Image:
    """An image with a layer that the registry has never seen."""
    return make_image(root)


@pytest.fixture
def layout(image: Image, tmp_path: Path) -> Path:
    """The same image on disk."""
    return image.write(tmp_path / "layout")


@pytest.fixture(scope="session")
def short_folder() -> t.Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(
        prefix="oci-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def engine(short_folder: Path) -> t.Iterator[Client]:
    """A Docker Engine for the tests."""
    with running_engine(short_folder) as client:
        yield client


@pytest.fixture
def stranger(engine: Client, tmp_path: Path) -> Client:
    """Docker as an anonymous client."""
    return engine.having(DOCKER_CONFIG=str(tmp_path / "stranger"))


@pytest.fixture
def podman(tmp_path: Path, short_folder: Path) -> Client:
    """Podman with a storage of its own, logged in nowhere."""
    program = tool("podman", "Debian's podman")
    # The path of podman's sockets must stay short, its storage need not.
    run = short_folder / tmp_path.name
    return Client(
        (
            *(program, f"--root={tmp_path}/storage", f"--runroot={run}"),
            *("--storage-driver=vfs", "--cgroup-manager=cgroupfs"),
            *("--events-backend=none", f"--tmpdir={run}/tmp"),
        ),
        {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")},
        # The path of a pulled layout becomes the image's name, which not every
        # path can be, so that the tests name layouts from where they are.
        folder=tmp_path,
    )
