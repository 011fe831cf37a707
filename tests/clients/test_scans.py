"""Results of scans, which oras attaches as a robot, and the pulls that they refuse."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.scan_reports import CRITICAL
from tests.support.scan_reports import REPORTS

from .engine import login
from .images import make_image
from .shell import Client

pytestmark = pytest.mark.real

ROBOT = f"{USERNAME}+scanner"
RULE = f"refuse critical by {ROBOT}"
HTTP = "--plain-http"


@pytest.fixture
def scanner(forge: Forge, tmp_path: Path) -> Client:
    """ORAS, with nothing but the secret of a robot."""
    said = forge.command("oci", "robot", "create", ROBOT)
    (secret,) = re.findall(r"oci_rob_\w+", said)
    environment = {"DOCKER_CONFIG": str(tmp_path / "scanner")}
    client = Client((tool("oras", "ORAS, built by Go"),), environment, tmp_path)
    account = ("--username", ROBOT, "--password-stdin")
    client("login", HTTP, *account, forge.host, stdin=secret)
    return client


def test_result_that_oras_attaches_refuses_pulls(
    scanner: Client,
    engine: Client,
    forge: Forge,
    repository: str,
    root: bytes,
    tmp_path: Path,
) -> None:
    """In each format, a critical finding refuses the pull, and no other does."""
    program = tool("crane", "go-containerregistry, built by Go")
    docker = engine.having(DOCKER_CONFIG=str(tmp_path / "docker"))
    crane = Client((program,), {"DOCKER_CONFIG": str(tmp_path / "docker")})
    docker(*login(forge), stdin=PASSWORD)
    for format in REPORTS:
        layout = make_image(root).write(tmp_path / format)
        crane("push", layout, f"{forge.host}/{repository}:{format}")
    forge.command("oci", "policy", "set", f"--repository={repository}", RULE)
    path = tmp_path / "report.json"
    runs = itertools.count(1)

    def scan(name: str, kind: str, report: object) -> None:
        """Attach a report. Its manifest differs from all others: ORAS does not push
        one that exists, and writes its time in seconds."""
        path.write_text(json.dumps(report))
        number = f"--annotation=run={next(runs)}"
        file = f"report.json:{kind}"
        scanner("attach", HTTP, f"--artifact-type={kind}", number, name, file)

    for format, (kind, report) in REPORTS.items():
        name = f"{forge.host}/{repository}:{format}"
        scan(name, kind, without_critical(report))
        crane("manifest", name)
        scan(name, kind, report)
        said = crane.refuses("manifest", name)
        assert f"({RULE})" in said
        assert "1 critical finding, known for" in said
        # The scanner still reads the image, for the next scan.
        scanner("manifest", "fetch", HTTP, name)
    assert "1 critical finding" in docker.refuses("pull", name)
    scan(name, kind, without_critical(report))
    docker("pull", name)


def without_critical(report: object) -> object:
    """Return a report without its critical finding."""
    if isinstance(report, dict):
        return {key: without_critical(value) for key, value in report.items()}
    if isinstance(report, list):
        found = [without_critical(each) for each in report]
        return [each for each in found if CRITICAL not in json.dumps(each)]
    return report
