"""Runs over many items: a failing item is reported, and the others are handled."""

from __future__ import annotations

import errno
import os
import typing as t
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.signals import tag_deleting
from flask_oci.testing import Faults
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

TAGS = 600

#: The most rows of one table that a transaction of a run may delete.
PART = 250


@pytest.fixture(name="keeper")
def _keeper(app: Flask, alice: RegistryClient) -> Upkeep:
    """An operator of a registry that has an image."""
    alice.push_image("alice/app", "1.0")
    return Upkeep(app)


def test_gc_with_an_undeletable_file_deletes_the_others(keeper: Upkeep) -> None:
    """The command names the file, ends with status 3, and can be repeated."""
    orphans = [b"1", b"2", b"3"]
    for content in orphans:
        keeper.store(digest_of(content), content)
    with Faults(keeper.app).disk(0, errno.EACCES, ["unlink"]):
        result = keeper.run("gc")
    assert result.exit_code == 3
    failed = [d for d in map(digest_of, orphans) if d in keeper.blobs()]
    assert len(failed) == 1
    assert failed[0] in result.stderr
    assert "1 item failed." in result.stderr
    assert keeper.gc()["blobs"] == failed


def test_gc_with_an_unreadable_folder_deletes_the_others(keeper: Upkeep) -> None:
    """A folder that cannot be listed does not end the collection."""
    digest = digest_of(b"an orphan")
    keeper.store(digest, b"an orphan")
    shard = next(
        keeper.folder / "blobs/sha256" / name
        for name in ("00", "01", "02")
        if not (keeper.folder / "blobs/sha256" / name).exists()
    )
    shard.mkdir()
    with Faults(keeper.app).disk(0, errno.EACCES, ["listdir"]):
        result = keeper.run("gc")
    assert result.exit_code == 3
    assert "is not readable" in result.stderr
    assert keeper.gc()["failures"] == []


@pytest.mark.parametrize("name", ["uploads", "notes"])
def test_gc_with_an_unreadable_folder_of_uploads_deletes_blobs(
    keeper: Upkeep, name: str
) -> None:
    """A folder that a command of another user has created does not end the
    collection."""
    digest = digest_of(b"an orphan")
    keeper.store(digest, b"an orphan")
    (keeper.folder / name).mkdir(exist_ok=True)

    def listdir(path: str) -> list[str]:
        if path == str(keeper.folder / name):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return original(path)

    original = os.listdir
    with mock.patch.object(os, "listdir", listdir):
        result = keeper.run("gc")
    assert result.exit_code == 3
    assert f"{name} is not readable" in result.stderr
    assert digest not in keeper.blobs()


def test_retention_with_a_raising_receiver_cleans_the_other_repositories(
    app: Flask, alice: RegistryClient
) -> None:
    """The command names the repository, and ends with status 3."""
    for name in ("alice/a", "alice/b", "alice/c"):
        alice.push_image(name, "1.0")
        with app.app_context():
            registry.retention.set(["delete *"], repository=name)

    def refuse(_: object, change: t.Any) -> None:
        if change.repository == "alice/b":
            raise RuntimeError("the receiver is broken")

    with tag_deleting.connected_to(refuse):
        result = Upkeep(app).run("retention", "run")
    assert result.exit_code == 3
    assert "alice/b: the receiver is broken" in result.stderr
    tags = [alice.tags(name) for name in ("alice/a", "alice/b", "alice/c")]
    assert tags == [[], ["1.0"], []]


def test_retention_in_python_logs_the_repository_that_failed(
    app: Flask, alice: RegistryClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A scheduler has no exit status, and must not miss it."""
    for name in ("alice/a", "alice/b"):
        alice.push_image(name, "1.0")
    # The first statement reads the list of repositories.
    with app.app_context(), Faults(app).database(1):
        assert registry.apply_retention()
    (failure,) = [r.message for r in caplog.records if r.name == "flask_oci.retention"]
    assert "alice/a: The database does not respond." in failure


def test_apply_retention_with_a_raising_receiver_returns_the_failure(
    app: Flask, alice: RegistryClient
) -> None:
    """A host that runs retention itself learns which repository failed, and why."""
    for name in ("alice/a", "alice/b"):
        alice.push_image(name, "1.0")
        with app.app_context():
            registry.retention.set(["delete *"], repository=name)

    def refuse(_: object, change: t.Any) -> None:
        if change.repository == "alice/a":
            raise RuntimeError("the receiver is broken")

    with tag_deleting.connected_to(refuse), app.app_context():
        result = registry.apply_retention()
    assert [(v.repository, v.deleted) for v in result if v.tag] == [("alice/b", True)]
    assert result.failures == ["alice/a: the receiver is broken"]


@contextmanager
def deletions(app: Flask) -> t.Iterator[list[int]]:
    """Collect the number of rows that each transaction deletes from a table."""
    with app.app_context():
        engine = db.engine
    found: list[int] = [0]

    def count(_c: object, cursor: t.Any, statement: str, *_: object) -> None:
        if statement.startswith(("DELETE FROM oci_tag ", "DELETE FROM oci_manifest ")):
            found[-1] += cursor.rowcount

    def commit(_: object) -> None:
        found.append(0)

    sa.event.listen(engine, "after_cursor_execute", count)
    sa.event.listen(engine, "commit", commit)
    try:
        yield found
    finally:
        sa.event.remove(engine, "after_cursor_execute", count)
        sa.event.remove(engine, "commit", commit)


def test_retention_of_many_tags_deletes_in_parts(
    app: Flask, alice: RegistryClient
) -> None:
    """No transaction deletes many tags, so that pushes do not wait long."""
    _push_tags(app, alice)
    with app.app_context():
        registry.retention.set(["delete t*"], repository="alice/app")
    with deletions(app) as found:
        result = Upkeep(app).run("retention", "run")
    assert f"Deleted {TAGS} tags" in result.stdout
    assert sum(found) == TAGS
    assert max(found) <= PART


@pytest.mark.options(oci_untagged_lifetime=1)
def test_gc_of_many_manifests_deletes_in_parts(
    app: Flask, alice: RegistryClient
) -> None:
    """The same holds for manifests. An index is deleted before its children."""
    alice.push_image("alice/app", "1.0")
    with app.app_context():
        key = registry.repositories.find("alice/app").key
        Manifest = registry.models.Manifest
        db.session.execute(
            sa.insert(Manifest),
            [
                {
                    "repository_id": key,
                    "digest": digest_of(b"%d" % number),
                    "media_type": "application/vnd.oci.image.manifest.v1+json",
                    "size": 1,
                    "content": b"{}",
                    "touched_at": utcnow() - timedelta(days=99),
                }
                for number in range(TAGS)
            ],
        )
        db.session.commit()
    with deletions(app) as found:
        assert len(Upkeep(app).gc()["manifests"]) == TAGS
    assert max(found) <= PART


def _push_tags(app: Flask, alice: RegistryClient) -> None:
    alice.push_image("alice/app", "1.0")
    with app.app_context():
        key = registry.repositories.find("alice/app").key
        Manifest, Tag = registry.models.Manifest, registry.models.Tag
        manifest = db.session.scalar(
            sa.select(Manifest.id).where(Manifest.digest == digest_of(image()))
        ) or db.session.scalar(sa.select(Manifest.id))
        db.session.execute(
            sa.insert(Tag),
            [
                {"repository_id": key, "name": f"t{number}", "manifest_id": manifest}
                for number in range(TAGS)
            ],
        )
        db.session.commit()
