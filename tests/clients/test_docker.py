from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from flask_oci.testing import digest_of
from tests.support.forge import Forge
from tests.support.forge import PASSWORD

from .engine import forget
from .engine import inspect
from .engine import login
from .engine import make
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

BUILT_FILE = "/tmp/built"


@pytest.fixture(scope="module")
def docker(
    engine: Client, forge: Forge, tmp_path_factory: pytest.TempPathFactory
) -> Client:
    """Docker as alice."""
    folder = tmp_path_factory.mktemp("docker")
    client = engine.having(DOCKER_CONFIG=str(folder))
    client(*login(forge), stdin=PASSWORD)
    return client


@pytest.fixture
def name(docker: Client, forge: Forge, repository: str, root: bytes) -> str:
    """The name of an image that the engine has and the registry has not."""
    name = f"{forge.host}/{repository}:1"
    make(docker, name, root)
    return name


def test_login_accepts_the_password_of_the_forge(
    stranger: Client, forge: Forge
) -> None:
    """`docker login` succeeds with the password of the forge."""
    assert "Login Succeeded" in stranger(*login(forge), stdin=PASSWORD)


def test_login_refuses_a_wrong_password(stranger: Client, forge: Forge) -> None:
    """`docker login` says that a wrong password is wrong."""
    said = stranger.refuses(*login(forge), stdin="looking-glass")
    assert "unauthorized" in said.lower()


def test_a_stranger_neither_pushes_nor_pulls(
    docker: Client, stranger: Client, name: str
) -> None:
    """Without a login, pushing and pulling are refused."""
    stranger.refuses("push", name)
    docker("push", name)
    stranger.refuses("pull", name)


def test_another_person_neither_pushes_nor_pulls(
    docker: Client, stranger: Client, forge: Forge, name: str
) -> None:
    """Another person's login opens nothing of alice's."""
    stranger(*login(forge, "bob"), stdin="builder")
    assert "denied" in stranger.refuses("push", name)
    docker("push", name)
    stranger.refuses("pull", name)


def test_a_pulled_image_is_the_one_that_was_pushed(
    docker: Client, remote: Remote, repository: str, name: str
) -> None:
    """An image comes back with the same config and the same layers."""
    before = _saved(docker, name)
    docker("push", name)
    forget(docker, name)
    assert "Pull complete" in docker("pull", name)
    assert _saved(docker, name) == before

    manifest = json.loads(remote.manifest(repository, "1"))
    layers = [remote.blob(repository, x["digest"]) for x in manifest["layers"]]
    unpacked = [digest_of(gzip.decompress(layer)) for layer in layers]
    assert [manifest["config"]["digest"], *unpacked] == before


def test_an_image_is_pulled_by_its_digest(docker: Client, name: str) -> None:
    """The digest that a push prints names the image."""
    digest = _digest(docker("push", name))
    identity = inspect(docker, name)["Id"]
    forget(docker, name)
    by_digest = f"{name.removesuffix(':1')}@{digest}"
    assert digest in docker("pull", by_digest)
    assert inspect(docker, by_digest)["Id"] == identity


def test_a_pulled_image_runs(docker: Client, name: str) -> None:
    """A container of a pulled image says what it is told to say."""
    docker("push", name)
    forget(docker, name)
    docker("pull", name)
    run = ("run", "--rm", "--network=none", name, "/bin/busybox", "echo")
    assert docker(*run, "curiouser") == "curiouser\n"


@pytest.mark.parametrize("buildkit", ["0", "1"], ids=["classic", "buildkit"])
def test_an_image_is_built_on_a_pulled_one(
    docker: Client, name: str, tmp_path: Path, buildkit: str
) -> None:
    """A build takes its base from the registry, and its result goes there."""
    docker("push", name)
    forget(docker, name)
    touch = json.dumps(["/bin/busybox", "touch", BUILT_FILE])
    (tmp_path / "Dockerfile").write_text(f"FROM {name}\nRUN {touch}\n")
    built = f"{name}-built"
    build = ("build", "--pull", "--no-cache", "--network=host", "--tag", built)
    docker.having(DOCKER_BUILDKIT=buildkit)(*build, tmp_path)
    docker("push", built)
    forget(docker, built)
    run = ("run", "--rm", "--network=none", built, "/bin/busybox", "ls")
    assert docker(*run, BUILT_FILE) == f"{BUILT_FILE}\n"


def test_a_second_push_sends_nothing(docker: Client, name: str) -> None:
    """A layer that the registry has is not sent again."""
    first = docker("push", name)
    second = docker("push", name)
    assert "Layer already exists" in second
    assert "Pushed" not in second
    assert _digest(first) == _digest(second)


def test_a_layer_of_another_repository_is_mounted(
    docker: Client, forge: Forge, repository: str, another: str, name: str
) -> None:
    """A layer of one's own other repository is linked, not sent."""
    docker("push", name)
    elsewhere = f"{forge.host}/{another}:1"
    docker("tag", name, elsewhere)
    said = docker("push", elsewhere)
    assert f"Mounted from {repository}" in said
    assert "Pushed" not in said


def test_a_manifest_list_is_pushed_and_pulled(
    docker: Client, remote: Remote, repository: str, name: str, root: bytes
) -> None:
    """`docker manifest` makes a list whose platforms can be pulled."""
    other, many = f"{name}-arm64", f"{name}-many"
    make(docker, other, root)
    identity = inspect(docker, name)["Id"]
    for part in (name, other):
        docker("push", part)
    docker("manifest", "create", "--insecure", many, name, other)
    docker("manifest", "annotate", "--arch=amd64", many, name)
    docker("manifest", "annotate", "--arch=arm64", many, other)
    digest = docker("manifest", "push", "--insecure", many).split()[-1]

    content = remote.manifest(repository, "1-many")
    assert digest_of(content) == digest
    platforms = [m["platform"] for m in json.loads(content)["manifests"]]
    assert {p["architecture"] for p in platforms} == {"amd64", "arm64"}
    forget(docker, name)
    docker("pull", "--platform=linux/amd64", many)
    assert inspect(docker, many)["Id"] == identity


def _digest(said: str) -> str:
    match = re.search(r"digest: (sha256:[0-9a-f]{64})", said)
    assert match, said
    return match[1]


def _saved(docker: Client, name: str) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(docker.binary("save", name))) as tar:

        def read(member: str) -> bytes:
            file = tar.extractfile(member)
            assert file
            return file.read()

        [entry] = json.loads(read("manifest.json"))
        return [digest_of(read(x)) for x in (entry["Config"], *entry["Layers"])]
