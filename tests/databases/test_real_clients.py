"""The conformance suite and clients, with the example forge on PostgreSQL.

The forge keeps what it reads (``OCI_READ_CACHE``, ``OCI_CACHE_POLICY``), on SQLite in
tests/conformance and tests/clients.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.test_conformance import check_everything
from tests.support.database_servers import postgresql
from tests.support.forge import Forge
from tests.support.paths import TESTS

pytestmark = pytest.mark.real

CLIENTS = ("docker", "crane", "skopeo")


def test_conformance_on_postgresql_passes(tmp_path: Path) -> None:
    """With sparse images allowed, the suite skips no check."""
    with (
        postgresql(durable=False) as url,
        Forge("gunicorn", DATABASE_URL=url, OCI_ALLOW_SPARSE="true") as forge,
    ):
        check_everything(forge, tmp_path)


def test_clients_on_postgresql_pass(tmp_path: Path) -> None:
    """The clients push, pull, copy and delete as they do on SQLite."""
    files = [str(TESTS / f"clients/test_{client}.py") for client in CLIENTS]
    options = ("--quiet", "--tb=short", f"--basetemp={tmp_path}/tests")
    with postgresql(durable=False) as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *files],
            cwd=TESTS.parent,
            env=os.environ | {"FORGE_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout[-2000:])
