"""When manifests were pulled, and how often repositories were."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import typing as t
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.core.pull_counter import REFRESH_INTERVAL
from flask_oci.core.pull_counter import WRITE_INTERVAL
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.host import db
from tests.support.host import registry
from tests.support.paths import ROOT
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.visitor import statements
from tests.support.visitor import Visitor

NAME = "alice/app"
PATH = f"/v2/{NAME}/manifests/v1"
PAGE = f"/images/{NAME}"


@pytest.fixture(name="visitor")
def _visitor(app: Flask) -> Visitor:
    """Alice, at her browser."""
    return Visitor(app, "alice")


def pulls(visitor: Visitor) -> int:
    """Return how many pulls the page of the repository speaks of."""
    return int(visitor.get(PAGE).text.partition("Pulls ")[2].split()[0])


def pull(client: RegistryClient, path: str = PATH) -> None:
    """Pull a manifest."""
    assert client.get(path).status_code == 200


@contextmanager
def failing_updates(app: Flask) -> t.Iterator[None]:
    """Have the database refuse to change anything meanwhile."""

    def fail(_c: object, _k: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE"):
            raise sa.exc.OperationalError(statement, {}, Exception("disk is full"))

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", fail)


def test_pull_is_counted_and_dated(alice: RegistryClient, visitor: Visitor) -> None:
    """The list has how often a repository was pulled, an image when it was."""
    alice.push_image(NAME, "v1")
    assert pulls(visitor) == 0
    assert "Last pulled never" in visitor.get(f"{PAGE}/-/image/v1").text
    pull(alice)
    assert pulls(visitor) == 1
    assert "1 pull " in visitor.get("/images/").text
    assert "Last pulled just now" in visitor.get(f"{PAGE}/-/image/v1").text
    with later(timedelta(days=3, hours=1)):
        assert "Last pulled 3 days ago" in visitor.get(f"{PAGE}/-/image/v1").text
        pull(alice, PATH.replace("v1", digest_of(alice.get(PATH).data)))
        assert "Last pulled just now" in visitor.get(f"{PAGE}/-/image/v1").text


def test_pull_other_requests_are_not_counted(
    alice: RegistryClient, bob: RegistryClient, visitor: Visitor
) -> None:
    """A HEAD request, a failed request and a refused request do not count as pulls."""
    manifest = alice.push_image(NAME, "v1")
    alice.head(PATH)
    alice.get(f"/v2/{NAME}/manifests/v2")
    bob.get(PATH)
    alice.get(f"/v2/{NAME}/tags/list")
    visitor.get(f"{PAGE}/-/image/v1")
    visitor.status(f"{PAGE}/-/raw/{digest_of(manifest)}")
    with later(2 * WRITE_INTERVAL):
        assert pulls(visitor) == 0


def test_head_is_dated_once_an_hour_and_not_counted(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """A client that has the image uses it, and transfers nothing."""
    alice.push_image(NAME, "v1")
    with statements(app) as seen:
        for _ in range(5):
            assert alice.head(PATH).status_code == 200
    assert sum("pulled_at" in text for text in seen if text.startswith("UPDATE")) == 1
    assert "Last pulled just now" in visitor.get(f"{PAGE}/-/image/v1").text
    pull(alice)
    with later(2 * WRITE_INTERVAL):
        pull(alice)
        assert pulls(visitor) == 2


def test_failed_write_of_a_head_is_tried_again(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """The response does not depend on the write."""
    alice.push_image(NAME, "v1")
    with failing_updates(app):
        assert alice.head(PATH).status_code == 200
    with later(2 * WRITE_INTERVAL):
        assert alice.head(PATH).status_code == 200
        assert "Last pulled 2 minutes ago" in visitor.get(f"{PAGE}/-/image/v1").text
        assert pulls(visitor) == 0


def test_pull_of_index_counts_two_manifests(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """An index and the image that a client takes of it are two manifests."""
    child = alice.push_image(NAME)
    alice.push_manifest(NAME, index(descriptor(child, OCI_MANIFEST)), "v1")
    pull(alice)
    pull(alice, f"/v2/{NAME}/manifests/{digest_of(child)}")
    assert pulls(visitor) == 2


def test_pulls_are_written_together(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """Most pulls cost nothing, and none of them is forgotten."""
    alice.push_image(NAME, "v1")
    pull(alice)
    with statements(app) as sent:
        for _ in range(20):
            pull(alice)
    assert not [s for s in sent if s.startswith("UPDATE")]
    with later(WRITE_INTERVAL):
        pull(alice)
        assert pulls(visitor) == 22


def test_pull_time_is_written_once_an_hour(app: Flask, alice: RegistryClient) -> None:
    """A manifest that is pulled all the time is written to now and then."""
    alice.push_image(NAME, "v1")
    pull(alice)
    with later(REFRESH_INTERVAL - timedelta(minutes=1)), statements(app) as sent:
        pull(alice)
    assert not [s for s in sent if s.startswith("UPDATE oci_manifest")]
    with later(REFRESH_INTERVAL), statements(app) as sent:
        pull(alice)
    assert len([s for s in sent if s.startswith("UPDATE oci_manifest")]) == 1


def test_pull_is_written_after_the_response(app: Flask, alice: RegistryClient) -> None:
    """The client has the whole manifest before the pull is written."""
    manifest = alice.push_image(NAME, "v1")
    with statements(app) as sent:
        response = alice.get(PATH, buffered=False)
        assert b"".join(response.response) == manifest  # type: ignore[arg-type]
        assert not [s for s in sent if s.startswith("UPDATE")]
        response.close()
        assert [s for s in sent if s.startswith("UPDATE")]


def test_pull_failed_write_is_tried_again(
    app: Flask,
    alice: RegistryClient,
    visitor: Visitor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A pull is answered whatever becomes of its note, which is written later."""
    manifest = alice.push_image(NAME, "v1")

    with failing_updates(app), caplog.at_level(logging.WARNING):
        assert alice.get(PATH).data == manifest
        assert "Writing pull counts failed" in caplog.text
        caplog.clear()
        # A database that has just failed is not asked again at once.
        assert alice.get(PATH).data == manifest
        assert not caplog.text
    with later(WRITE_INTERVAL):
        pull(alice)
        assert pulls(visitor) == 3


def test_pull_of_deleted_repository_is_dropped(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A pull of a repository that was deleted meanwhile causes no error."""
    alice.push_image(NAME, "v1")
    alice.push_image("alice/other", "v1")
    pull(alice)
    pull(alice)
    with alice.app.app_context():
        registry.repositories.delete(NAME)
    pull(alice, "/v2/alice/other/manifests/v1")
    assert "1 pull " in visitor.get("/images/").text


def test_pulls_waiting_are_bounded(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is away for long costs counts, and no memory."""
    monkeypatch.setattr("flask_oci.core.pull_counter.MAX_ENTRIES", 100)
    pulls = app.extensions["oci"].pulls
    with failing_updates(app), app.app_context():
        for number in range(1000):
            pulls.count(number, digest_of(b"a"))
            if number % 50 == 0:
                with pytest.raises(sa.exc.OperationalError):
                    pulls.write()
    written: list[t.Any] = []

    def note(_c: object, _k: object, statement: str, values: t.Any, *_: object) -> None:
        if statement.startswith("UPDATE oci_repository"):
            written.extend(values)

    with app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", note)
        pulls.write()
        sa.event.remove(db.engine, "before_cursor_execute", note)
    assert 0 < len(written) <= 200


def test_pulls_of_many_threads_are_all_counted(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """Each pull counts once, from any number of threads."""
    alice.push_image(NAME, "v1")

    def work() -> None:
        for _ in range(25):
            pull(RegistryClient.of(app, "alice"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with later(WRITE_INTERVAL):
        pull(alice)
        assert pulls(visitor) == 101


def test_pulls_are_written_at_exit(
    app: Flask, alice: RegistryClient, visitor: Visitor, database_url: str
) -> None:
    """A process writes its waiting pulls when it exits."""
    alice.push_image(NAME, "v1")
    script = f"""
for _ in range(3):
    assert RegistryClient.of(app, "alice").get({PATH!r}).status_code == 200
"""
    assert run_process(script, app.instance_path, database_url) == (0, "")
    assert pulls(visitor) == 3


def test_exit_without_database_logs_one_line(tmp_path: Path) -> None:
    """The database was often stopped before the server."""
    script = f"""
alice = RegistryClient.of(app, "alice")
alice.push_image({NAME!r}, "v1")
for _ in range(3):
    assert alice.get({PATH!r}).status_code == 200
with app.app_context():
    db.drop_all()
"""
    status, output = run_process(script, str(tmp_path), f"sqlite:///{tmp_path}/x.db")
    assert status == 0
    assert "The last pulls were not counted: " in output
    assert "Traceback" not in output


def run_process(script: str, folder: str, database_url: str) -> tuple[int, str]:
    """Run a script in a process with an application of its own.

    :return: its exit status and its error output.
    """
    start = """
import sys
from pathlib import Path
from tests.support.host import create_app
from tests.support.host import db
from tests.support.paths import ROOT
from tests.support.registry_client import RegistryClient
app = create_app(Path(sys.argv[1]), SQLALCHEMY_DATABASE_URI=sys.argv[2])
"""
    command = [sys.executable, "-c", start + script, folder, database_url]
    path = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr
