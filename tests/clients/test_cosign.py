from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_oci.testing import digest_of
from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .engine import login
from .engine import make
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

HTTP = "--allow-http-registry"
# No transparency log and no other service outside this machine is used.
SIGN = ("sign", HTTP, "--yes", "--tlog-upload=false", "--use-signing-config=false")
VERIFY = ("verify", HTTP, "--insecure-ignore-tlog=true")


@pytest.fixture
def cosign(forge: Forge, tmp_path: Path) -> Client:
    """Cosign as alice, with a key pair of her own."""
    environment = {"COSIGN_PASSWORD": "", "DOCKER_CONFIG": str(tmp_path / "docker")}
    client = Client((tool("cosign", "Cosign, built by Go"),), environment, tmp_path)
    account = (f"--username={USERNAME}", f"--password={PASSWORD}")
    client("login", *account, forge.host)
    client("generate-key-pair")
    return client


@pytest.fixture
def crane(cosign: Client) -> Client:
    """Crane, which pushes the images to sign, with the same login."""
    program = tool("crane", "go-containerregistry, built by Go")
    return Client((program,), cosign.environment)


def test_a_signature_is_verified(
    cosign: Client,
    crane: Client,
    forge: Forge,
    repository: str,
    image: Image,
    layout: Path,
) -> None:
    """A signed image is verified, an unsigned one and another key are refused."""
    name = f"{forge.host}/{repository}"
    crane("push", layout, f"{name}:1")
    cosign.refuses(*VERIFY, "--key=cosign.pub", f"{name}:1")
    cosign(*SIGN, "--key=cosign.key", f"{name}@{image.digest}")
    assert image.digest in cosign(*VERIFY, "--key=cosign.pub", f"{name}:1")
    cosign("generate-key-pair", "--output-key-prefix=other")
    cosign.refuses(*VERIFY, "--key=other.pub", f"{name}:1")


def test_registry_verifies_both_forms_of_signatures(
    cosign: Client,
    crane: Client,
    forge: Forge,
    repository: str,
    image: Image,
    layout: Path,
    tmp_path: Path,
) -> None:
    """A bundle, which cosign 3 attaches as a referrer, and a tag, as before."""
    name = f"{forge.host}/{repository}"
    crane("push", layout, f"{name}:1")
    for form in ("true", "false"):
        form = f"--new-bundle-format={form}"
        cosign(*SIGN, form, "--key=cosign.key", f"{name}@{image.digest}")
    scope, key = f"--repository={repository}", f"--key={tmp_path / 'cosign.pub'}"
    forge.command("oci", "trust", "add", "release", scope, key)
    shown = forge.command("oci", "trust", "show", "--json", f"{repository}:1")
    found = {(each["format"], each["signer"]) for each in json.loads(shown)}
    assert found == {("sigstore", "release"), ("cosign", "release")}


def test_docker_cannot_move_a_tag_to_an_unsigned_image(
    cosign: Client,
    engine: Client,
    forge: Forge,
    remote: Remote,
    repository: str,
    root: bytes,
    tmp_path: Path,
) -> None:
    """Docker prints the rule, and the tag keeps its signed image."""
    name = f"{forge.host}/{repository}:1"
    docker = engine.having(DOCKER_CONFIG=str(tmp_path / "engine"))
    docker(*login(forge), stdin=PASSWORD)
    make(docker, name, root)
    docker("push", name)
    signed = digest_of(remote.manifest(repository, "1"))
    cosign(*SIGN, "--key=cosign.key", f"{forge.host}/{repository}@{signed}")
    scope, key = f"--repository={repository}", f"--key={tmp_path / 'cosign.pub'}"
    forge.command("oci", "trust", "add", "release", scope, key)
    rules = ("require signature by release", "check pushed tags")
    forge.command("oci", "policy", "set", scope, *rules)
    docker("pull", name)
    make(docker, name, root)
    said = docker.refuses("push", name)
    assert "it has no verified signature by release" in said
    assert digest_of(remote.manifest(repository, "1")) == signed
    docker("pull", name)
