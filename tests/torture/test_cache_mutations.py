"""Mutations of the read cache: without a condition for its use, a test fails."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from .mutation import copy_project
from .mutation import Mutation
from .mutation import run

pytestmark = pytest.mark.real

READS = "flask_oci/catalog/read_cache/reads.py"
SCOPES = "flask_oci/catalog/read_cache/scopes.py"
TRACES = "flask_oci/catalog/read_cache/traces.py"
STORE = "flask_oci/catalog/read_cache/store.py"
SQLITE = "flask_oci/catalog/read_cache/sqlite.py"
POSTGRESQL = "flask_oci/catalog/read_cache/postgresql.py"

HISTORY = (
    "read_cache/test_staleness.py::test_any_history_of_changes_gets_current_answers"
)
CACHE = "read_cache/test_read_cache.py::test"
ASKED = "read_cache/test_traces.py::test_policy_is_asked_again_only_after_a_change"
OTHER = "read_cache/test_traces.py::test_policy_that_reads_in_other_ways"

#: Mutations that are found on every database that has a version.
MUTATIONS = {
    "versions are not compared": Mutation(
        HISTORY, STORE, "get", "values.version != version", "False"
    ),
    "callers share what was read": Mutation(
        f"{CACHE}_reads_of_other_callers_make_no_answer_faster",
        READS,
        "rows",
        "self.audience()",
        "None",
    ),
    "refusals are kept": Mutation(
        f"{CACHE}_refusal_by_the_host_is_computed_each_time",
        READS,
        "value",
        "if not is_kept(value):",
        "if False:",
    ),
    "results of older objects are kept": Mutation(
        f"{CACHE}_commit_during_a_decision_counts",
        READS,
        "value",
        "now.version == now.first",
        "True",
    ),
    "pages and commands use the cache": Mutation(
        f"{CACHE}_visits_of_others_make_no_page_faster",
        SCOPES,
        "new_scope",
        "request is None or",
        "",
    ),
    "requests of one context share a version": Mutation(
        f"{CACHE}_commit_between_requests_of_one_context_counts",
        SCOPES,
        "is_current",
        "request is not self.request",
        "False",
    ),
    "rows are not compared": Mutation(
        HISTORY, READS, "_execute", "rows != expected[statement]", "False"
    ),
    "objects of the session are not traced": Mutation(
        f"{ASKED}_of_its_rows[by_object]",
        READS,
        "value",
        "recorder.add(kept.statements)",
        "pass",
    ),
    "cached rows are not traced": Mutation(
        f"{ASKED}_of_its_rows[by_registry]",
        READS,
        "rows",
        "recorder.is_computing",
        "False",
    ),
    "statements that may write are traced": Mutation(
        f"{OTHER}_is_asked_after_each_commit[by_text]",
        TRACES,
        "record",
        "None if found is None else (found,)",
        "() if found is None else (found,)",
    ),
    "each function is traced": Mutation(
        f"{OTHER}_is_asked_after_each_commit[by_other_engine]",
        "flask_oci/auth/policy.py",
        "is_allowed",
        'self._config.cache_policy == "statements"',
        "True",
    ),
}

ON_SQLITE = {
    "uncommitted changes are not noticed": Mutation(
        f"{CACHE}_uncommitted_changes_of_the_host_count",
        SQLITE,
        "writes",
        "int(driver is None or driver.in_transaction)",
        "0",
    ),
    "a child uses the connection of its parent": Mutation(
        f"{CACHE}_child_of_a_busy_process_reads_by_itself",
        SQLITE,
        "_current",
        "opened.pid != os.getpid()",
        "False",
    ),
    "a replaced file is not noticed": Mutation(
        f"{CACHE}_replaced_file_counts",
        SQLITE,
        "_current",
        "_identity(status) == opened.identity",
        "True",
    ),
}

ON_POSTGRESQL = {
    "uncommitted changes are not noticed": Mutation(
        f"{CACHE}_uncommitted_changes_of_the_host_count",
        POSTGRESQL,
        "_version",
        "has_written or",
        "",
    ),
    "statements after other rows are executed": Mutation(
        "read_cache/test_traces.py::test_statement_after_other_rows_is_not_executed",
        READS,
        "_execute",
        "or (expected and rows != expected[statement])",
        "",
    ),
}

CASES = [
    pytest.param(database, mutation, id=f"{database}-{name}")
    for database, mutations in {
        "sqlite": MUTATIONS | ON_SQLITE,
        "postgresql": MUTATIONS | ON_POSTGRESQL,
    }.items()
    for name, mutation in mutations.items()
]

MakeDatabase = t.Callable[[str], "str | None"]


@pytest.mark.parametrize(("database", "mutation"), CASES)
def test_read_cache_without_condition_fails(
    tmp_path: Path, make_database: MakeDatabase, database: str, mutation: Mutation
) -> None:
    """Each condition for the use of the cache has a test that fails without it."""
    copy = copy_project(tmp_path)
    mutation.apply(copy)
    status, output = run(copy, mutation.test, database=make_database(database))
    assert status == pytest.ExitCode.TESTS_FAILED, output


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_read_cache_in_unchanged_copy_passes(
    tmp_path: Path, make_database: MakeDatabase, database: str
) -> None:
    """So a failure in a changed copy is caused by the change."""
    copy = copy_project(tmp_path)
    status, output = run(copy, "read_cache", database=make_database(database))
    assert status == pytest.ExitCode.OK, output
