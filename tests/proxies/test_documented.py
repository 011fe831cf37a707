"""The configurations of the deployment page, which have no problems."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.support.doc_blocks import ALL_BLOCKS
from tests.support.forge import environment
from tests.support.forge import Forge
from tests.support.forge import tool
from tests.support.paths import ROOT

from .asking import check
from .servers import Certificate
from .servers import PROXIES

pytestmark = pytest.mark.real


def page(section: str, kind: str) -> str:
    """Return a block of the page on deployment."""
    (found,) = (
        block.code
        for block in ALL_BLOCKS
        if block.page == "docs/deployment.rst"
        and (block.section, block.kind) == (section, kind)
    )
    return found


def test_documented_gunicorn_settings_are_valid(tmp_path: Path) -> None:
    """Gunicorn knows each setting."""
    configuration = page("Gunicorn", "python")
    names = {
        name
        for node in ast.parse(configuration).body
        for name in (
            [target.id for target in node.targets if isinstance(target, ast.Name)]
            if isinstance(node, ast.Assign)
            else [node.name]
            if isinstance(node, ast.FunctionDef)
            else []
        )
    }
    assert "threads" in names
    config: t.Any = importlib.import_module("gunicorn.config")
    assert names <= set(config.Config().settings)

    (tmp_path / "gunicorn.conf.py").write_text(configuration)
    (command,) = re.findall(r"^ExecStart=\S+ (.*)$", page("systemd", "ini"), re.M)
    command = command.replace("forge:", "example_app:")
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", *command.split()],
        cwd=tmp_path,
        env=environment(tmp_path, {"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_documented_service_is_valid(tmp_path: Path) -> None:
    """Systemd accepts it, if its programs exist."""
    unit = tmp_path / "forge.service"
    # The programs and folders of the page do not exist on this machine.
    text = page("systemd", "ini").replace("/srv/forge/venv/bin/gunicorn", "/bin/true")
    unit.write_text(text.replace("User=forge\n", ""))
    analyze = tool("systemd-analyze", "Debian's systemd")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr


@pytest.mark.parametrize("proxy", PROXIES)
def test_check_through_a_documented_proxy_finds_nothing(
    proxy: str, forge: Forge, certificate: Certificate, tmp_path: Path
) -> None:
    """The check pushes and pulls through the proxy."""
    with PROXIES[proxy](tmp_path, forge.host, certificate) as url:
        done = forge.run(
            *("oci", "check", "--json", "--url", url, "--user", "alice"),
            *("--cafile", str(certificate.authority)),
        )
    assert json.loads(done.stdout) == {"findings": [], "skipped": []}
    assert done.returncode == 0


def test_documented_nginx_location_sends_files(
    certificate: Certificate, tmp_path: Path
) -> None:
    """The registry names a file, and nginx sends it."""
    location = page("nginx and X-Accel-Redirect", "nginx")
    settings = page("nginx and X-Accel-Redirect", "python")
    (accel,) = re.findall(r'^OCI_ACCEL_REDIRECT = "(.*)"$', settings, re.M)
    with Forge("gunicorn", "tests.proxies.behind", OCI_ACCEL_REDIRECT=accel) as forge:
        files = f"{forge.instance}/oci/"
        assert "/srv/forge/instance/oci/" in location
        location = location.replace("/srv/forge/instance/oci/", files)

        def add(text: str) -> str:
            return text.replace("location /v2/", f"{location}\nlocation /v2/", 1)

        with PROXIES["nginx"](tmp_path, forge.host, certificate, add) as url:
            found = check(forge, url, "--cafile", str(certificate.authority))
        assert found == {}
        with PROXIES["nginx"](tmp_path, forge.host, certificate) as url:
            found = check(forge, url, "--cafile", str(certificate.authority))
        assert set(found) <= {"pull-fails", "accel-unhandled"}
        assert found
