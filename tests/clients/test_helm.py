from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_oci.testing import digest_of
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME

from .remote import Remote
from .shell import Client

pytestmark = pytest.mark.real

HTTP = "--plain-http"
CHART = "apiVersion: v2\nname: looking-glass\nversion: 1.2.3+wonder\n"
#: A tag cannot have the plus sign that a version may have.
TAG = "1.2.3_wonder"


@pytest.fixture
def helm(forge: Forge, tmp_path: Path) -> Client:
    """Helm as alice."""
    environment = {
        "HELM_CACHE_HOME": str(tmp_path / "cache"),
        "HELM_CONFIG_HOME": str(tmp_path / "config"),
        "HELM_DATA_HOME": str(tmp_path / "data"),
    }
    program = tool("helm", "Helm, built by Go")
    client = Client((program,), environment, tmp_path)
    account = ("--username", USERNAME, "--password-stdin")
    client("registry", "login", HTTP, *account, forge.host, stdin=PASSWORD)
    return client


def test_a_chart_is_pushed_and_pulled(
    helm: Client, forge: Forge, remote: Remote, repository: str, tmp_path: Path
) -> None:
    """A chart comes back as it was sent, byte for byte."""
    folder = tmp_path / "looking-glass"
    folder.mkdir()
    (folder / "Chart.yaml").write_text(CHART)
    helm("package", folder)
    [chart] = tmp_path.glob("*.tgz")
    helm("push", HTTP, chart, f"oci://{forge.host}/{repository}")

    manifest = json.loads(remote.manifest(f"{repository}/looking-glass", TAG))
    assert manifest["layers"][0]["digest"] == digest_of(chart.read_bytes())
    name = f"oci://{forge.host}/{repository}/looking-glass"
    pulled = tmp_path / "pulled"
    pulled.mkdir()
    helm("pull", HTTP, "--version=1.2.3+wonder", f"--destination={pulled}", name)
    assert (pulled / chart.name).read_bytes() == chart.read_bytes()


def test_the_newest_version_of_a_range_is_found(
    helm: Client, forge: Forge, repository: str, tmp_path: Path
) -> None:
    """A range of versions is resolved from the list of tags."""
    folder = tmp_path / "looking-glass"
    folder.mkdir()
    (folder / "Chart.yaml").write_text(CHART)
    for version in ("1.0.0", "1.9.0", "1.10.0", "2.0.0"):
        helm("package", f"--version={version}", folder)
        chart = tmp_path / f"looking-glass-{version}.tgz"
        helm("push", HTTP, chart, f"oci://{forge.host}/{repository}")
    name = f"oci://{forge.host}/{repository}/looking-glass"
    shown = helm("show", "chart", HTTP, "--version=^1.0.0", name)
    assert "version: 1.10.0" in shown
