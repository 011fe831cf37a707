"""The budget of a push to a bucket, whose sessions have leases in the database."""

from __future__ import annotations

import typing as t

import pytest

from tests.performance.test_budgets import Change
from tests.performance.test_budgets import CHANGES
from tests.performance.test_budgets import counted_statements
from tests.performance.test_budgets import KEEPS_ROWS
from tests.performance.test_budgets import statements_of
from tests.support.host import STORAGE
from tests.support.registry_client import RegistryClient

from .conftest import NAME

#: The most statements of each request of a push. MariaDB returns no changed rows, and
#: PostgreSQL begins the fast commit of a start with a statement.
MORE = 0 if KEEPS_ROWS else 1
BUDGETS: dict[str, int] = {"PATCH": 6 + MORE, "closing PUT": 14 + MORE}


@pytest.fixture(autouse=True, scope="module")
def _on_bucket() -> t.Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORAGE, "memory")
        yield


def test_start_stays_within_statement_budget(machine: RegistryClient) -> None:
    """The start of an upload needs one statement more than on the local disk."""
    machine.push_blob(NAME, b"first")
    with counted_statements() as statements:
        machine.start_upload(NAME)
    assert len(statements) <= 5 + MORE, "\n".join(statements)


@pytest.mark.parametrize("request_kind", BUDGETS)
def test_upload_stays_within_statement_budget(
    machine: RegistryClient, request_kind: str
) -> None:
    """A request that stores a small blob saves the session at most once, and ends its
    lease with it."""
    machine.push_blob(NAME, b"first")
    change: Change = CHANGES[request_kind]
    statements = statements_of(machine, change)
    assert len(statements) <= BUDGETS[request_kind], "\n".join(statements)
