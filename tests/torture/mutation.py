"""Copies of the project without one measure, in which a test has to fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

from tests.auth.test_matrix_finds_holes import dig
from tests.auth.test_matrix_finds_holes import Hole
from tests.support.paths import ROOT

#: The time limit of the tests that have to fail, in seconds.
PATIENCE = 300


class Mutation(t.NamedTuple):
    """A measure that is removed, and the test that has to fail."""

    test: str
    """The test, by its path below ``tests``."""

    module: str
    function: str
    check: str
    instead: str

    def apply(self, copy: Path) -> None:
        """Remove the measure from a copy of the project."""
        dig(copy / self.module, Hole("", *self[1:]))


def copy_project(folder: Path) -> Path:
    """Copy the files that the harness needs into a folder, to be changed there."""
    copy = folder / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("flask_oci", "example_app", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def run(copy: Path, *tests: str, database: str | None = None) -> tuple[int, str]:
    """Run tests of the copy, and return their exit status and output.

    :param database: the URL of the database that the tests use; None is SQLite.
    """
    names = ("TORTURE", "TEST_DATABASE_URL")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    if database is not None:
        inherited["TEST_DATABASE_URL"] = database
    words = (f"tests/{test}" for test in tests)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *words],
        cwd=copy,
        env=inherited | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
