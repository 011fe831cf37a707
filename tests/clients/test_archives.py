"""Archives of other programs, and other programs reading archives of the registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_oci.testing import Image
from flask_oci.testing import make_index
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .engine import forget
from .engine import inspect
from .engine import make
from .images import make_image
from .images import read_layout
from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real


@pytest.fixture
def skopeo(tmp_path: Path) -> Client:
    """Skopeo without a login, which archives do not need."""
    return Client((tool("skopeo", "Debian's skopeo"),))


def test_skopeo_archive_imports_and_exports_unchanged(
    forge: Forge, remote: Remote, repository: str, root: bytes, skopeo: Client
) -> None:
    """An index moves from skopeo's archive to the registry and back, byte for byte."""
    index = make_index(make_image(root, "amd64"), make_image(root, "arm64"))
    folder = forge.instance / repository
    layout = index.write(folder / "in")
    archive, out = folder / "in.tar", folder / "out.tar"
    skopeo("copy", "--all", f"oci:{layout}:latest", f"oci-archive:{archive}:1.0")
    forge.command("oci", "import", str(archive), repository)
    assert remote.tags(repository) == ["1.0"]
    assert remote.digests(repository, "1.0") == index.digests
    forge.command("oci", "export", f"{repository}:1.0", str(out))
    skopeo("copy", "--all", f"oci-archive:{out}:1.0", f"oci:{folder}/back:1.0")
    assert read_layout(folder / "back") == index.digests
    forge.command("oci", "export", repository, str(folder / "folder"))
    skopeo("copy", "--all", f"oci:{folder}/folder:1.0", f"oci:{folder}/again:1.0")
    assert read_layout(folder / "again") == index.digests


def test_exported_index_imports_into_another_forge_unchanged(
    forge: Forge,
    remote: Remote,
    repository: str,
    root: bytes,
    skopeo: Client,
    tmp_path: Path,
) -> None:
    """The other forge is empty."""
    index = make_index(make_image(root, "amd64"), make_image(root, "arm64"))
    layout, archive = index.write(tmp_path / "in"), tmp_path / "out.tar"
    forge.command("oci", "import", str(layout), f"{repository}:1.0")
    forge.command("oci", "export", f"{repository}:1.0", str(archive))
    with Forge("gunicorn") as other:
        assert json.loads(other.command("oci", "repositories", "--json")) == []
        other.command("oci", "import", str(archive), repository, "--by", USERNAME)
        insecure = ("--src-tls-verify=false", f"--src-creds={USERNAME}:{PASSWORD}")
        source = f"docker://{other.host}/{repository}:1.0"
        skopeo("copy", "--all", *insecure, source, f"oci:{tmp_path}/back:1.0")
    assert read_layout(tmp_path / "back") == index.digests
    assert remote.digests(repository, "1.0") == index.digests


def test_skopeo_reads_the_docker_format(
    forge: Forge,
    remote: Remote,
    repository: str,
    image: Image,
    layout: Path,
    skopeo: Client,
    tmp_path: Path,
) -> None:
    """The registry also imports the archive that skopeo writes, with uncompressed
    layers."""
    forge.command("oci", "import", str(layout), f"{repository}:1.0")
    out, back = tmp_path / "out.tar", tmp_path / "back.tar"
    forge.command("oci", "export", f"{repository}:1.0", str(out), "--format", "docker")
    name = f"docker-archive:{out}:docker.io/{repository}:1.0"
    found = json.loads(skopeo("inspect", "--config", name))
    config = json.loads(image.manifest)["config"]["digest"]
    assert found == json.loads(image.contents[config])
    skopeo("copy", f"docker-archive:{out}", f"docker-archive:{back}:app:2.0")
    forge.command("oci", "import", str(back), repository)
    assert set(remote.tags(repository)) == {"1.0", "2.0"}
    fields = json.loads(remote.manifest(repository, "2.0"))
    assert remote.digests(repository, "2.0")
    layers = [layer["digest"] for layer in fields["layers"]]
    assert layers == found["rootfs"]["diff_ids"]


def test_docker_save_and_load_exchange_archives(
    engine: Client,
    forge: Forge,
    remote: Remote,
    repository: str,
    root: bytes,
    tmp_path: Path,
) -> None:
    """The registry imports the output of `docker save`, and `docker load` reads its
    export."""
    name = f"{repository}:1.0"
    make(engine, name, root)
    before = inspect(engine, name)["RootFS"]
    (tmp_path / "saved.tar").write_bytes(engine.binary("save", name))
    forge.command("oci", "import", str(tmp_path / "saved.tar"), repository)
    assert remote.digests(repository, "1.0")
    forget(engine, name)
    out = tmp_path / "out.tar"
    forge.command("oci", "export", name, str(out), "--format", "docker")
    engine("load", "--input", out)
    assert inspect(engine, name)["RootFS"] == before
    forget(engine, name)
