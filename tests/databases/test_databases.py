from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.database_servers import SERVERS
from tests.support.paths import TESTS

pytestmark = pytest.mark.real


#: The check reports that the databases of the tests are not durable. test_check.py in
#: this folder has durable ones. The changed copies of the package that the other file
#: tests use SQLite.
ELSEWHERE = (
    TESTS / "cli/test_check.py",
    TESTS / "auth/test_matrix_finds_holes.py",
)


def selection(server: str) -> str:
    """Return the tests to run. ``tox -e scale`` runs slow ones on MariaDB too."""
    is_full = os.environ.get("TORTURE") == "full"
    return "not real" if is_full or server != "mariadb" else "not real and not slow"


@pytest.mark.parametrize("server", SERVERS)
def test_suite_on_database_server_passes(server: str, tmp_path: Path) -> None:
    """The tests that use a database pass on each supported server."""
    options = (
        *("-m", selection(server), "--quiet", "--tb=short", "--show-capture=no"),
        f"--basetemp={tmp_path}/tests",
    )
    ignored = [f"--ignore={path}" for path in ELSEWHERE]
    with SERVERS[server](durable=False) as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *ignored, str(TESTS)],
            cwd=TESTS.parent,
            env=os.environ | {"TEST_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
