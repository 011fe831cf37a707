from __future__ import annotations

import json
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest

from flask_oci.testing import digest_of
from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.pusher import Pusher
from tests.support.signing import Key
from tests.support.sigstore_instance import attached
from tests.support.sigstore_instance import CI
from tests.support.sigstore_instance import GITHUB
from tests.support.sigstore_instance import SIGNED_AT
from tests.support.sigstore_instance import SigstoreInstance

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


def test_registry_and_cosign_agree_about_identities(
    cosign: Client,
    crane: Client,
    forge: Forge,
    repository: str,
    image: Image,
    layout: Path,
    tmp_path: Path,
) -> None:
    """Cosign verifies the same bundle with the same trusted root, and refuses the same
    others. So the bundles of the other tests have the form of its own."""
    name = f"{forge.host}/{repository}"
    crane("push", layout, f"{name}:1")
    sigstore, rogue, pusher = (
        SigstoreInstance(),
        SigstoreInstance(),
        Pusher(forge, repository),
    )
    root = tmp_path / "trusted_root.json"
    root.write_bytes(sigstore.trusted_root())
    expected = (f"--certificate-identity={CI}", f"--certificate-oidc-issuer={GITHUB}")
    verify = ("verify", HTTP, f"--trusted-root={root}", *expected, f"{name}:1")
    scope, identity = (
        f"--repository={repository}",
        ("--identity", CI, "--issuer", GITHUB),
    )
    forge.command("oci", "trust", "add", "ci", scope, *identity)

    def is_verified(bundle: dict[str, t.Any]) -> bool:
        """Attach a bundle, and return True if the registry finds a signer."""
        artifact = attached(bundle, image)
        for digest in artifact.blobs:
            pusher.blob(artifact.contents[digest])
        pusher.manifest(artifact.manifest, artifact.digest)
        forge.run("oci", "trust", "verify", OCI_SIGSTORE_ROOT=str(root))
        shown = forge.command("oci", "trust", "show", "--json", f"{repository}:1")
        return any(each["signer"] == "ci" for each in json.loads(shown))

    key = Key()
    for bundle in (
        rogue.bundle(image.digest),
        sigstore.bundle(image.digest, log=rogue),
        sigstore.bundle(image.digest, at=SIGNED_AT + timedelta(hours=1)),
        sigstore.bundle(
            image.digest,
            key=key,
            certificate=sigstore.certificate(key, is_logged=False),
        ),
    ):
        assert not is_verified(bundle)
        cosign.refuses(*verify)
    assert is_verified(sigstore.bundle(image.digest))
    assert image.digest in cosign(*verify)


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
