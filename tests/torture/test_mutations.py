"""Mutations: without a durability measure, the harness fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mutation import copy_project
from .mutation import Mutation
from .mutation import run

pytestmark = pytest.mark.real

ON_THE_DISK = "torture/test_order.py::test_acknowledged_write_is_on_the_disk"
STORM = (
    "torture/test_storm.py::test_collection_among_requests_deletes_only_garbage[sqlite]"
)
CONFLICT = (
    "torture/test_faults.py::test_conflict_in_each_statement_is_retried[a manifest]"
)
FAULT = (
    "torture/test_faults.py::test_fault_in_each_call_loses_nothing"
    "[the end of an upload-disk after]"
)


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
        "upload.sync(is_last=span is None)",
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
        "flask_oci/catalog/retries.py",
        "retried",
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
def test_harness_without_durability_measure_fails(
    tmp_path: Path, mutation: Mutation
) -> None:
    """Each durability measure has a test that fails without it."""
    copy = copy_project(tmp_path)
    mutation.apply(copy)
    status, output = run(copy, mutation.test)
    assert status == pytest.ExitCode.TESTS_FAILED, output


def test_harness_on_unchanged_copy_passes(tmp_path: Path) -> None:
    """So a failure in a changed copy is caused by the change."""
    copy = copy_project(tmp_path)
    status, output = run(copy, *sorted({m.test for m in MUTATIONS.values()}))
    assert status == pytest.ExitCode.OK, output
