"""The harness is worth something only if it finds what it looks for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.auth.test_matrix_finds_holes import dig
from tests.auth.test_matrix_finds_holes import Hole
from tests.support.paths import ROOT

pytestmark = pytest.mark.real

#: How long the tests that are to fail may take, in seconds.
PATIENCE = 300

ON_THE_DISK = "test_order.py::test_what_is_acknowledged_is_on_the_disk"
STORM = "test_storm.py::test_collection_in_a_storm[sqlite]"
CONFLICT = "test_faults.py::test_every_conflict_is_tried_again[a manifest]"
FAULT = "test_faults.py::test_every_call_fails_once[the end of an upload-disk after]"


class Mutation(t.NamedTuple):
    """Something that is turned off, and the test that notices."""

    test: str
    module: str
    function: str
    check: str
    instead: str


MUTATIONS = {
    "a blob's bytes are not flushed": Mutation(
        f"{ON_THE_DISK}[a blob in one request]",
        "flask_oci/storage/upload.py",
        "sync",
        "os.fsync(self._fd)",
        "pass",
    ),
    "a blob's name is not flushed": Mutation(
        f"{ON_THE_DISK}[a streamed blob]",
        "flask_oci/storage/posix.py",
        "sync_folder",
        "os.fsync(fd)",
        "pass",
    ),
    "another process's folder is not flushed": Mutation(
        f"{ON_THE_DISK}[a blob whose folder another process has made]",
        "flask_oci/storage/posix.py",
        "make_folder",
        "path in _settled",
        "True",
    ),
    "a chunk is not flushed": Mutation(
        f"{ON_THE_DISK}[a streamed body]",
        "flask_oci/v2/push_blob.py",
        "append",
        "upload.sync()",
        "pass",
    ),
    "a commit is not flushed": Mutation(
        f"{ON_THE_DISK}[a manifest]",
        "example_app/models.py",
        "tune",
        "synchronous = FULL",
        "synchronous = NORMAL",
    ),
    "a conflict is not tried again": Mutation(
        CONFLICT,
        "flask_oci/catalog/database.py",
        "_retry",
        "number == ATTEMPTS - 1",
        "True",
    ),
    "a digest is not compared": Mutation(
        STORM,
        "flask_oci/core/blob_content.py",
        "verify",
        "not upload.matches(digest)",
        "False",
    ),
    "a lease is not heeded": Mutation(
        STORM,
        "flask_oci/operations/gc.py",
        "_collect_links",
        "before = ",
        "before = utcnow() or ",
    ),
    "a blob is cut to what its upload was": Mutation(
        FAULT,
        "flask_oci/storage/upload.py",
        "truncate",
        "not self._storage.has_upload(self._uuid)",
        "False",
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_the_harness_finds_a_mutation(tmp_path: Path, mutation: Mutation) -> None:
    """Without any one of what makes it durable, a registry fails the harness."""
    copy = copy_project(tmp_path)
    hole = Hole("", mutation.module, *mutation[2:])
    dig(copy / mutation.module, hole)
    status, output = run(copy, mutation.test)
    assert status == pytest.ExitCode.TESTS_FAILED, output


def test_the_harness_finds_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    """What fails in a copy that was changed fails because of the change."""
    copy = copy_project(tmp_path)
    status, output = run(copy, *sorted({m.test for m in MUTATIONS.values()}))
    assert status == pytest.ExitCode.OK, output


def copy_project(folder: Path) -> Path:
    """Copy what the harness needs to where it can be changed."""
    copy = folder / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("flask_oci", "example_app", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def run(copy: Path, *tests: str) -> tuple[int, str]:
    """Run some of the copy's tests, and return their status and what they said."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TORTURE")}
    words = (f"tests/torture/{test}" for test in tests)
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
