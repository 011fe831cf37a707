from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.database_servers import SERVERS
from tests.support.paths import TESTS

pytestmark = pytest.mark.real


#: The check finds out that the databases of the tests are in a hurry. cli/test_check.py
#: beside this one has some that are not.
ELSEWHERE = TESTS / "cli/test_check.py"


@pytest.mark.parametrize("server", SERVERS)
def test_the_tests_pass_on(server: str, tmp_path: Path) -> None:
    """What holds on SQLite holds on a database server."""
    options = ("-m", "not real", "--quiet", f"--basetemp={tmp_path}/tests")
    ignored = f"--ignore={ELSEWHERE}"
    with SERVERS[server](durable=False) as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, ignored, str(TESTS)],
            cwd=TESTS.parent,
            env=os.environ | {"TEST_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
