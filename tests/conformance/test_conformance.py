from __future__ import annotations

import os
import subprocess
import typing as t
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import SERVERS
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.forge_behind_nginx import ForgeBehindNginx
from tests.support.object_stores import versitygw
from tests.support.store_behind_nginx import StoreBehindNginx

pytestmark = pytest.mark.real

#: `dev` omits only the sparse data, so both together enable every check.
EVERYTHING = {"OCI_DATA_SPARSE": "true"}
TIMEOUT = 300


@pytest.mark.parametrize("server", SERVERS)
def test_conformance_with_everything_enabled_passes(
    server: str, tmp_path: Path
) -> None:
    """With sparse images allowed, the suite skips no check."""
    with Forge(server, OCI_ALLOW_SPARSE="true") as forge:
        check_everything(forge, tmp_path)


def test_conformance_behind_nginx_passes(tmp_path: Path) -> None:
    """granian answers, and nginx sends the blobs; no check is skipped."""
    with ForgeBehindNginx(OCI_ALLOW_SPARSE="true") as forge:
        check_everything(forge, tmp_path)


def test_conformance_with_nginx_that_reads_a_store_passes(tmp_path: Path) -> None:
    """nginx reads the blobs from versitygw; no check is skipped."""
    with (
        versitygw() as store,
        StoreBehindNginx(store, "oci", OCI_ALLOW_SPARSE="true") as forge,
    ):
        check_everything(forge, tmp_path)


@pytest.mark.full
def test_conformance_with_redirects_fails_only_get_of_blobs(tmp_path: Path) -> None:
    """The suite requires Docker-Content-Digest in the last response, which a store
    cannot send."""
    with versitygw() as store:
        settings = {"OCI_DOWNLOADS": "redirect", **store.environment()}
        with Forge("gunicorn", OCI_ALLOW_SPARSE="true", **settings) as forge:
            run_suite(forge, tmp_path, EVERYTHING)
    failed = _checks_that_are_not({"passed"}, tmp_path)
    assert {line.rpartition("/")[2] for line in failed} == {"blob-get: failure"}


@pytest.mark.parametrize("server", SERVERS)
def test_conformance_with_default_settings_passes(server: str, tmp_path: Path) -> None:
    """With the default configuration, only the checks of sparse images are skipped."""
    with Forge(server) as forge:
        results = run_suite(forge, tmp_path, {})
    assert _switched_off(results["config"]) == {"data.sparse"}
    assert results["data"].pop("Sparse Manifests") == "Disabled"
    assert _rows_that_are_not({"Pass"}, results) == []
    assert _checks_that_are_not({"passed"}, tmp_path) == []


def check_everything(forge: Forge, folder: Path) -> None:
    """Check that the suite runs and passes all of its checks.

    :param folder: for the report of the suite.
    """
    results = run_suite(forge, folder, EVERYTHING)
    assert _switched_off(results["config"]) == set()
    assert _rows_that_are_not({"Pass"}, results) == []
    assert _checks_that_are_not({"passed"}, folder) == []


def run_suite(forge: Forge, folder: Path, settings: dict[str, str]) -> t.Any:
    suite = tool("conformance", "the OCI conformance suite, built by Go")
    environment = {
        "PATH": os.environ["PATH"],
        "OCI_REGISTRY": forge.host,
        "OCI_TLS": "disabled",
        "OCI_REPO1": f"{USERNAME}/repo1",
        "OCI_REPO2": f"{USERNAME}/repo2",
        "OCI_USERNAME": USERNAME,
        "OCI_PASSWORD": PASSWORD,
        "OCI_VERSION": "dev",
        "OCI_RESULTS_DIR": str(folder),
        **settings,
    }
    # The exit status is 0 for a suite that never ran, so the test reads its report.
    done = subprocess.run(
        [suite],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    report = folder / "results.yaml"
    assert report.exists(), f"the suite left no report:\n{done.stdout}{done.stderr}"
    print(done.stdout[-20000:])
    return yaml.safe_load(report.read_text())


def _switched_off(config: dict[str, t.Any]) -> set[str]:
    def off(tree: dict[str, t.Any], path: str) -> t.Iterator[str]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from off(value, f"{path}{key}.")
            elif value is False:
                yield f"{path}{key}"

    return {*off({key: config[key] for key in ("apis", "data")}, "")}


def _rows_that_are_not(allowed: set[str], results: t.Any) -> list[str]:
    rows = {**results["apis"], **results["data"]}
    # A truncated report must not pass.
    assert len(rows) > 40, rows
    return [f"{name}: {state}" for name, state in rows.items() if state not in allowed]


def _checks_that_are_not(allowed: set[str], folder: Path) -> list[str]:
    # A row says Pass if one of its checks passed and another was skipped, so the test
    # reads the single checks too.
    cases = ElementTree.parse(folder / "junit.xml").findall(".//testcase")
    assert cases
    return [
        f"{case.get('name')}: {case.get('status')}"
        for case in cases
        if case.get("status") not in allowed
    ]
