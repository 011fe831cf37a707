"""Copies to and from Debian's docker-registry."""

from __future__ import annotations

import base64
import json
import subprocess
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from flask_oci.testing import Image
from flask_oci.testing import make_index
from tests.support.forge import end
from tests.support.forge import Forge
from tests.support.forge import free_port
from tests.support.forge import tool
from tests.support.forge import wait_until

from .images import make_image
from .images import read_layout
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

#: The user and password; the registry stores a hash of it.
USERNAME, PASSWORD = "robot", "sesame"
HASH = "$2b$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O"

CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: 127.0.0.1:{port}, secret: only for tests}}
auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}
"""


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """The host and port of Debian's docker-registry, with a password."""
    program = tool("docker-registry", "Debian's docker-registry")
    folder = tmp_path_factory.mktemp("distribution")
    port = free_port()
    (folder / "htpasswd").write_text(f"{USERNAME}:{HASH}\n")
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder, port=port))

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
        except urllib.error.HTTPError as error:
            with error:
                return error.code == 401
        except OSError:
            return False
        raise AssertionError("it lets strangers in")

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(config)], stderr=log)
    try:
        wait_until(answers, 60, "starting docker-registry")
        yield f"127.0.0.1:{port}"
    finally:
        end(process, 30)


@pytest.fixture(autouse=True)
def _logged_in(
    distribution: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration as after `docker login`."""
    auth = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    logins = json.dumps({"auths": {distribution: {"auth": auth}}})
    (tmp_path / "config.json").write_text(logins)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "config.json"))


@pytest.fixture
def skopeo() -> Client:
    """Skopeo, to verify the content directly."""
    return Client((tool("skopeo", "Debian's skopeo"),))


def held(skopeo: Client, host: str, image: str, folder: Path) -> set[str]:
    """Return the digests of an image of the other registry, each verified."""
    source = f"docker://{host}/{image}"
    skopeo("copy", "--all", "--src-tls-verify=false", source, f"oci:{folder}:x")
    return read_layout(folder)


def test_copy_to_docker_registry_and_back_keeps_all_bytes(
    forge: Forge,
    remote: Remote,
    distribution: str,
    repository: str,
    another: str,
    root: bytes,
    skopeo: Client,
    tmp_path: Path,
) -> None:
    """The second copy sends nothing."""
    index = make_index(make_image(root, "amd64"), make_image(root, "arm64"))
    index.write(tmp_path / "in")
    forge.command("oci", "import", str(tmp_path / "in"), f"{repository}:1.0")
    there = f"{distribution}/{repository}"
    forge.command("oci", "copy", f"{repository}:1.0", f"{there}:2.0")
    assert held(skopeo, distribution, f"{repository}:2.0", tmp_path / "x") == (
        index.digests
    )
    forge.command("oci", "copy", f"{there}:2.0", another)
    assert remote.digests(another, "2.0") == index.digests
    again = json.loads(
        forge.command("oci", "copy", f"{another}:2.0", f"{there}:2.0", "--json")
    )
    assert (again["blobs"], again["manifests"]) == (0, 0)


def test_mirror_to_docker_registry_and_back_copies_tags(
    forge: Forge,
    remote: Remote,
    distribution: str,
    repository: str,
    another: str,
    root: bytes,
    skopeo: Client,
    tmp_path: Path,
) -> None:
    """Blobs are linked to a second repository there."""
    images = {tag: make_image(root) for tag in ("1.0", "1.1", "2.0")}
    for tag, image in images.items():
        image.write(tmp_path / tag)
        forge.command("oci", "import", str(tmp_path / tag), f"{repository}:{tag}")
    there = f"{distribution}/{repository}"
    forge.command("oci", "mirror", repository, there, "--tag", "1.*")
    done = json.loads(
        forge.command("oci", "mirror", there, f"{distribution}/copies", "--json")
    )
    assert (done["blobs"], len(done["images"])) == (0, 2)
    assert held(skopeo, distribution, "copies:1.1", tmp_path / "x") == (
        images["1.1"].digests
    )
    forge.command("oci", "mirror", f"{distribution}/copies", another)
    assert remote.tags(another) == ["1.0", "1.1"]
    assert remote.digests(another, "1.0") == images["1.0"].digests


def test_copy_to_docker_registry_keeps_an_sbom(
    forge: Forge,
    remote: Remote,
    distribution: str,
    repository: str,
    another: str,
    image: Image,
    layout: Path,
) -> None:
    """The registry has no referrers API."""
    forge.command("oci", "import", str(layout), f"{repository}:1.0")
    oras = Client((tool("oras", "oras"),), folder=layout)
    (layout / "sbom.json").write_text("{}")
    account = ("--username", "alice", "--password", "wonderland", "--plain-http")
    name = f"{forge.host}/{repository}:1.0"
    sbom = ("--artifact-type", "application/spdx+json", "sbom.json:application/json")
    oras("attach", *account, name, *sbom)
    there = f"{distribution}/{repository}"
    forge.command("oci", "copy", f"{repository}:1.0", there, "--referrers")
    forge.command("oci", "copy", f"{there}:1.0", another, "--referrers")
    found = json.loads(forge.command("oci", "show", f"{another}:1.0", "--json"))
    assert [r["artifact_type"] for r in found["referrers"]] == ["application/spdx+json"]
    assert remote.digests(another, found["referrers"][0]["digest"])
