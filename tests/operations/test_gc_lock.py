"""One collection at a time, on databases that have locks for it."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.host import DATABASE_URL
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

pytestmark = pytest.mark.skipif(not DATABASE_URL, reason="SQLite has no such lock")


def test_second_collection_ends_with_a_message(app: Flask) -> None:
    """The first one goes on, and the next one can run."""
    keeper, results = Upkeep(app), []
    RegistryClient.of(app, "alice").push_blob("alice/app", b"a layer")
    with interleaved(app, lambda: results.append(keeper.run("gc")), 5):
        keeper.gc()
    (second,) = results
    assert second.exit_code == 2
    assert "Another process is collecting garbage." in second.stderr
    keeper.gc()


def test_lock_is_released_after_a_failed_collection(app: Flask) -> None:
    keeper = Upkeep(app)
    RegistryClient.of(app, "alice").push_blob("alice/app", b"a layer")
    (keeper.folder / "identity").write_text("another", "ascii")
    assert keeper.run("gc").exit_code == 2
    assert "belongs to the database of another" in keeper.run("gc").stderr
    assert keeper.run("gc", "--dry-run").exit_code == 2
