from __future__ import annotations

import json
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from pathlib import Path

import pytest

from flask_oci.testing import digest_of
from flask_oci.testing import Image
from flask_oci.testing import make_image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.pusher import Pusher
from tests.support.signing import Key
from tests.support.sigstore_instance import attached
from tests.support.sigstore_instance import CI
from tests.support.sigstore_instance import GITHUB
from tests.support.sigstore_instance import SigstoreInstance
from tests.support.timestamp_authority import stamped
from tests.support.timestamp_authority import TimestampAuthority

from .engine import login
from .engine import make
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

HTTP = "--allow-http-registry"
# No transparency log and no other service outside this machine is used.
SIGN = ("sign", HTTP, "--yes", "--tlog-upload=false", "--use-signing-config=false")
Bundle: t.TypeAlias = dict[str, t.Any]

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
    cosign: Client, forge: Forge, repository: str, tmp_path: Path
) -> None:
    """With the same trusted root, both verify the same bundles and refuse the same
    others. So the bundles of the other tests have the form of those of cosign."""
    tsa, rogue_tsa = (TimestampAuthority(tmp_path / each) for each in ("tsa", "rogue"))
    sigstore, rogue = SigstoreInstance(), SigstoreInstance()
    root = tmp_path / "trusted_root.json"
    root.write_bytes(sigstore.trusted_root(tsa.chain))
    pusher = Pusher(forge, repository)
    now = datetime.now(timezone.utc)
    begin, early = now - timedelta(minutes=5), now - timedelta(hours=1)

    def signed(image: Image, by: SigstoreInstance = sigstore, **more: t.Any) -> Bundle:
        """Return a bundle of the present time."""
        key = Key()
        certificate = by.certificate(key, **{"begin": begin, **more})
        return by.bundle(image.digest, key=key, certificate=certificate, at=now)

    cases: dict[str, tuple[t.Callable[[Image], Bundle], bool]] = {
        "log": (signed, True),
        "time": (lambda image: stamped(signed(image), tsa), True),
        "log2": (lambda image: stamped(signed(image), tsa, sigstore), True),
        "rogue": (lambda image: signed(image, rogue), False),
        "fork": (lambda image: signed(image, identity=f"{CI}-fork"), False),
        "issuer": (lambda image: signed(image, issuer="https://other.example"), False),
        "expired": (lambda image: signed(image, begin=early), False),
        "expired2": (
            lambda image: stamped(signed(image, begin=early), tsa, sigstore),
            False,
        ),
        "unlogged": (lambda image: signed(image, is_logged=False), False),
        "log-of-rogue": (lambda image: stamped(signed(image), tsa, rogue), False),
        "time-of-rogue": (
            lambda image: stamped(signed(image), rogue_tsa, sigstore),
            False,
        ),
        "other": (lambda image: signed(make_image()), False),
    }
    for tag, (make_bundle, _) in cases.items():
        image = make_image()
        push(pusher, image, tag)
        push(pusher, attached(make_bundle(image), image))
    expected = (f"--identity={CI}", f"--issuer={GITHUB}")
    forge.command("oci", "trust", "add", "ci", f"--repository={repository}", *expected)
    done = forge.run("oci", "trust", "verify", OCI_SIGSTORE_ROOT=str(root))
    assert done.returncode == 0, done.stderr
    verify = (
        *("verify", HTTP, f"--trusted-root={root}", f"--certificate-identity={CI}"),
        f"--certificate-oidc-issuer={GITHUB}",
    )
    rule = ("--rule", "require signature by ci", "--json")
    shown = forge.command("oci", "policy", "preview", repository, *rule)
    met = {each["tag"]: each["verdicts"][0]["result"] for each in json.loads(shown)}
    wanted = {tag: is_valid for tag, (_, is_valid) in cases.items()}
    assert {tag: result == "met" for tag, result in met.items()} == wanted
    name = f"{forge.host}/{repository}"
    assert {tag: cosign.succeeds(*verify, f"{name}:{tag}") for tag in cases} == wanted


def push(pusher: Pusher, image: Image, tag: str | None = None) -> None:
    """Push an image without a client."""
    for digest in image.blobs:
        pusher.blob(image.contents[digest])
    pusher.manifest(image.manifest, tag or image.digest)


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
