"""Queries that stay fast with millions of images: the schedule of the collection, and
the totals."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from tests.conftest import MakeApp
from tests.performance.test_budgets import counted_statements
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
DIGEST = digest_of(b"unneeded")


@pytest.fixture(name="keeper")
def _keeper(app: Flask, alice: RegistryClient) -> Upkeep:
    """An operator of a registry with one image."""
    alice.push_image(NAME, "1.0")
    return Upkeep(app)


def age_links(keeper: Upkeep) -> None:
    """End all leases, without the registry's knowledge."""
    link = registry.models.RepositoryBlob.__table__
    keeper.execute(sa.update(link).values(leased_at=utcnow() - timedelta(days=9)))


def test_gc_skips_unchanged_repositories_unless_told_otherwise(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A collection visits what has changed or what time has made unneeded; ``--all``
    visits every repository."""
    alice.push_blob(NAME, b"unneeded")
    assert keeper.gc()["links"] == []
    age_links(keeper)
    assert keeper.gc()["links"] == []
    assert keeper.gc("--all", "--dry-run")["links"] == [[NAME, DIGEST]]
    with later(LONG):
        assert keeper.gc("--dry-run")["links"] == [[NAME, DIGEST]]
    with keeper.app.app_context():
        registry.robots.create("ci", repository=NAME)
    assert keeper.gc()["links"] == []
    # Any change of the content has it visited.
    alice.push_blob(NAME, b"another")
    assert keeper.gc()["links"] == [[NAME, DIGEST]]


def test_gc_after_a_failure_visits_the_repository_again(
    alice: RegistryClient, keeper: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unneeded content that a collection could not delete stays due."""
    alice.push_blob(NAME, b"unneeded")
    keeper.gc()
    garbage = keeper.app.extensions["oci"].catalog.garbage
    with later(LONG):
        with monkeypatch.context() as patch:
            patch.setattr(garbage, "delete_link", lambda *_: 1 / 0)
            assert keeper.run("gc").exit_code == 3
        assert keeper.gc()["links"] == [[NAME, DIGEST]]


def test_gc_with_new_lifetime_visits_all_repositories(make_app: MakeApp) -> None:
    """The times of the next visits depend on the settings."""
    app = make_app()
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    alice.push_image(NAME, "1.0")
    untagged = alice.push_manifest(NAME, image(LAYER, number=1))
    keeper.gc()
    with later(timedelta(days=40)):
        assert keeper.gc()["manifests"] == []
        config = app.extensions["oci"].config
        app.extensions["oci"].__dict__["config"] = type(config)(
            **{**vars(config), "untagged_lifetime": timedelta(days=1)}
        )
        assert keeper.gc("--dry-run")["manifests"] == [[NAME, untagged]]
        assert keeper.gc()["manifests"] == [[NAME, untagged]]


def test_change_after_collection_costs_one_statement_once(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Only the first change after a visit marks the repository."""
    keeper.gc()

    def cost(number: int) -> int:
        with counted_statements() as statements:
            alice.push_blob(NAME, b"blob %d" % number)
        return len(statements)

    first, second, third = map(cost, range(3))
    assert first == second + 1
    assert second == third


def test_fsck_finds_and_corrects_wrong_counts(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Rows that were deleted by hand leave wrong totals and sizes."""
    alice.push_blob(NAME, b"unneeded")
    keeper.gc()
    assert keeper.fsck() == []
    models = registry.models
    blob = sa.select(models.Blob.id).where(models.Blob.digest == DIGEST)
    link, row = models.RepositoryBlob.__table__, models.Blob.__table__
    keeper.execute(sa.delete(link).where(link.c.blob_id.in_(blob)))
    keeper.execute(sa.delete(row).where(row.c.digest == DIGEST))
    assert ("miscounted", "totals") in keeper.kinds()
    assert ("miscounted", NAME) in keeper.kinds("--repair")
    assert all(kind != "miscounted" for kind, _ in keeper.kinds())
    with keeper.app.app_context():
        total = sa.select(sa.func.sum(models.Total.blobs))
        assert db.session.scalar(total) == keeper.rows("Blob")


def test_first_collection_after_an_upgrade_fills_the_summaries(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Rows of an earlier version have no times, sizes and totals."""
    models = registry.models
    keeper.gc()
    keeper.execute(
        sa.update(models.Repository).values(collect_at=None, stored_bytes=None)
    )
    keeper.execute(sa.delete(models.Total))
    keeper.execute(sa.delete(models.OwnerUsage))
    alice.push_blob("alice/other", b"other")
    keeper.gc()
    assert keeper.fsck() == []
    with keeper.app.app_context():
        totals = registry._catalog.usage.totals()
    assert totals[:2] == (2, keeper.rows("Blob"))


def test_mount_without_from_finds_own_repository_among_many(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A layer that thousands of private repositories have is mounted from the caller's
    own, although only some of them are considered."""
    models = registry.models
    with keeper.app.app_context():
        key = db.session.scalar(
            sa.select(models.Blob.id).where(models.Blob.digest == digest_of(LAYER))
        )
        table, link = models.Repository.__table__, models.RepositoryBlob.__table__
        owner = db.session.scalar(sa.select(table.c.owner_id))
        rows = [
            {"id": 50_000 + n, "name": f"bob/app{n}", "owner_id": None}
            for n in range(1500)
        ]
        rows.append({"id": 60_000, "name": "alice/late", "owner_id": owner})
        db.session.execute(sa.insert(table), rows)
        db.session.execute(sa.delete(link).where(link.c.blob_id == key))
        links = [{"repository_id": row["id"], "blob_id": key} for row in rows]
        db.session.execute(sa.insert(link), links)
        db.session.commit()
    query = {"mount": digest_of(LAYER)}
    path = "/v2/alice/new/blobs/uploads/"
    assert alice.post(path, query=query).status_code == 201


@pytest.mark.parametrize("maximum", [0, 200])
def test_usage_lists_changed_and_unchanged_repositories_by_size(
    alice: RegistryClient, keeper: Upkeep, monkeypatch: pytest.MonkeyPatch, maximum: int
) -> None:
    """Unless too many have changed, those are measured, and the order is right before
    the collection."""
    monkeypatch.setattr("flask_oci.catalog.repository_usage.MAX_CHANGED", maximum)
    shared, sizes = b"s" * 50, {"b": 3000, "c": 9000, "d": 6000}
    alice.push_blob("alice/empty", shared)
    for name, size in sizes.items():
        alice.push_blob(f"alice/{name}", name.encode() * size)
    keeper.gc()
    alice.push_blob("alice/d", b"more" * 1000)
    alice.push_blob("alice/d", shared)
    alice.push_blob("alice/new", b"n" * 4000)
    with alice.app.app_context():
        usage = alice.app.extensions["oci"].catalog.usage
        key = registry.repositories.find("alice/d").owner_id
        for owner in (None, key):
            pages = [usage.by_repository(2, at, owner) for at in (0, 2, 4)]
            found = {row.info.name: row[1:] for page in pages for row in page}
            known = ["alice/c", "alice/d", "alice/b"]
            order = ["alice/d", "alice/c", "alice/new", "alice/b"]
            assert [name for name in found if name[6:] in "dcb"] == (
                order[:2] + order[3:] if maximum else known
            )
            if maximum:
                assert list(found)[:4] == order
            assert found["alice/d"] == (10050, 10000)
            assert found["alice/empty"] == (50, 0)
            assert found["alice/c"] == (9000, 9000)
            assert usage.by_repository(2, 6, owner) == []
