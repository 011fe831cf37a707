"""The read cache: where it answers, where it must not, and failures."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
import threading
import typing as t
import weakref
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_login import current_user

from flask_oci import RepositoryInfo
from tests.conftest import MakeApp
from tests.support.check_world import small_host
from tests.support.credentials import by_access_token
from tests.support.host import Administrator
from tests.support.host import DATABASE_URL
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient
from tests.support.statements import collected
from tests.support.visitor import Visitor

NAME = "alice/app"
MANIFEST = f"/v2/{NAME}/manifests/v1"

only_sqlite = pytest.mark.skipif(DATABASE_URL is not None, reason="a SQLite file")
has_versions = pytest.mark.skipif(
    (DATABASE_URL or "sqlite").startswith(("mysql", "mariadb")),
    reason="the database has no version",
)
one_snapshot = pytest.mark.skipif(
    (DATABASE_URL or "sqlite").startswith(("mysql", "mariadb")),
    reason="a transaction of the database reads one snapshot, also without a cache",
)


@pytest.fixture(name="puller")
def _puller(app: Flask, alice: RegistryClient) -> RegistryClient:
    """A client that has pulled an image before."""
    alice.push_image(NAME, "v1")
    puller = alice.bearer(f"repository:{NAME}:pull")
    # The first pull of a process is written to the database after the response.
    for _ in range(2):
        assert puller.get(MANIFEST).status_code == 200
    return puller


def statements_on_tables(
    client: RegistryClient, path: str, status: int = 200
) -> list[str]:
    """Return the statements of a GET that read or write a table."""
    with collected(sa.Engine) as sent:
        assert client.get(path).status_code == status
    return [s for s in sent if "FROM " in s or "UPDATE" in s or "INSERT" in s]


def commit(app: Flask, statement: str | sa.Update) -> None:
    """Execute a statement as another program does, and commit it."""
    engine = sa.create_engine(
        app.config["SQLALCHEMY_DATABASE_URI"], poolclass=sa.NullPool
    )
    with engine.begin() as connection:
        if isinstance(statement, str):
            connection.execute(sa.text(statement))
        else:
            connection.execute(statement)


@has_versions
@pytest.mark.options(oci_cache_policy=True)
def test_repeated_pull_executes_no_statement(puller: RegistryClient) -> None:
    """While nothing is committed, a pull reads no table."""
    assert statements_on_tables(puller, MANIFEST) == []


@has_versions
def test_users_are_loaded_by_default(puller: RegistryClient) -> None:
    """Unless the host allows it, its ``user_loader`` is called for each request."""
    (statement,) = statements_on_tables(puller, MANIFEST)
    assert "username" in statement


@has_versions
@pytest.mark.options(oci_cache_policy=True)
def test_reads_of_other_callers_make_no_answer_faster(
    puller: RegistryClient, bob: RegistryClient
) -> None:
    """For a caller who may not pull, an image that its owner has just pulled costs the
    same statements as a missing one."""
    bob = bob.bearer("repository:bob/first:pull")
    bob.get("/v2/bob/first/manifests/v1")
    hidden = statements_on_tables(bob, MANIFEST, 404)
    missing = statements_on_tables(bob, "/v2/alice/absent/manifests/v1", 404)
    assert hidden == missing != []


@pytest.mark.options(oci_cache_policy=True)
def test_visits_of_others_make_no_page_faster(
    app: Flask, puller: RegistryClient
) -> None:
    """For a visitor who may not pull, the page of an image that its owner has just
    opened costs the same statements as a page of a missing one."""
    alice, bob = Visitor(app, "alice"), Visitor(app, "bob")
    assert alice.status(f"/images/{NAME}") == 200
    counts = []
    for path in (f"/images/{NAME}", "/images/alice/absent"):
        with collected(sa.Engine) as sent:
            assert bob.status(path) == 404
        counts.append(len(sent))
    assert counts[0] == counts[1] > 0


@has_versions
def test_refusal_by_the_host_is_computed_each_time(make_app: MakeApp) -> None:
    """A policy that executes a statement executes it as often for a hidden image as for
    a missing one, also when both are asked for again."""

    def may(user: User | None, action: str, image: RepositoryInfo) -> bool:
        db.session.scalars(sa.select(sa.literal(image.name)).select_from(User)).all()
        return registry.default_policy(user, action, image)

    app = make_app(may, OCI_CACHE_POLICY=True)
    RegistryClient.of(app, "alice").push_image(NAME, "v1")
    bob = RegistryClient.of(app, "bob").bearer("repository:bob/first:pull")
    paths = (MANIFEST, "/v2/alice/absent/manifests/v1")
    for path in paths:
        bob.get(path)
    hidden, missing = (statements_on_tables(bob, path, 404) for path in paths)
    assert hidden == missing != []


def test_commit_during_a_decision_counts(make_app: MakeApp) -> None:
    """A policy decides by objects that are as old as the session. Its permission is not
    kept if something was committed since."""
    change = sa.update(User).where(User.username == "bob")
    appoint, dismiss = (
        change.values(password=role) for role in ("a curator", "a builder")
    )
    dismissals: list[sa.Update] = []

    def may(user: User | None, action: str, image: RepositoryInfo) -> bool:
        is_curator = user is not None and user.password == "a curator"
        if dismissals:
            commit(app, dismissals.pop())
        return is_curator or registry.default_policy(user, action, image)

    app = make_app(may, OCI_CACHE_POLICY=True)
    RegistryClient.of(app, "alice").push_image(NAME, "v1")
    token = by_access_token(app, "bob")
    commit(app, appoint)
    bob = token.bearer(f"repository:{NAME}:pull")
    bob.get(MANIFEST)
    commit(app, appoint)
    dismissals.append(dismiss)
    assert bob.get(MANIFEST).status_code == 200
    assert bob.get(MANIFEST).status_code == 404


@pytest.mark.options(oci_read_cache=False)
def test_cache_can_be_switched_off(puller: RegistryClient) -> None:
    """With ``OCI_READ_CACHE = False``, each request reads the tables."""
    assert len(statements_on_tables(puller, MANIFEST)) > 2


@pytest.mark.options(oci_cache_policy=True)
def test_commit_by_another_program_counts(
    app: Flask, puller: RegistryClient, admin: Administrator
) -> None:
    """A statement of another program takes effect at the next request."""
    commit(app, "DELETE FROM oci_tag")
    assert puller.get(MANIFEST).status_code == 404


@one_snapshot
@pytest.mark.parametrize("context", ["application", "request"])
@pytest.mark.options(oci_cache_policy=True)
def test_commit_during_work_of_the_host_counts(
    app: Flask, puller: RegistryClient, context: str
) -> None:
    """A worker, or a view that streams events, may run for hours in one context. It
    reads what is committed meanwhile."""
    found = []
    with app.app_context() if context == "application" else app.test_request_context():
        for visibility in ("private", "internal", "public"):
            commit(app, f"UPDATE oci_repository SET visibility = '{visibility}'")
            found.append(registry.repositories.find(NAME).visibility)
            db.session.scalars(sa.select(registry.models.Tag.name)).all()
    assert found == ["private", "internal", "public"]


@one_snapshot
@pytest.mark.options(oci_cache_policy=True)
def test_commit_between_requests_of_one_context_counts(
    app: Flask, puller: RegistryClient
) -> None:
    """Requests of a test client may share the context, and the session, of a test."""
    with app.app_context():
        assert puller.get(MANIFEST).status_code == 200
        commit(app, "UPDATE oci_repository SET visibility = 'public'")
        assert registry.repositories.find(NAME).visibility == "public"
        commit(app, "DELETE FROM oci_tag")
        assert puller.get(MANIFEST).status_code == 404


@pytest.mark.options(oci_cache_policy=True)
def test_uncommitted_changes_of_the_host_count(
    app: Flask, puller: RegistryClient, anonymous: RegistryClient
) -> None:
    """A change that the host has made in its session counts in this request, and is not
    kept for others."""
    assert anonymous.get(MANIFEST).status_code == 401
    Repository = registry.models.Repository

    def change(*_: object, **__: object) -> None:
        db.session.execute(sa.update(Repository).values(visibility="public"))

    app.before_request_funcs.setdefault(None, []).append(change)
    response = anonymous.get(MANIFEST)
    app.before_request_funcs[None].remove(change)
    assert response.status_code == 200
    assert anonymous.get(MANIFEST).status_code == 401


@pytest.mark.options(oci_cache_policy=True)
def test_session_of_the_host_is_unaffected(app: Flask, puller: RegistryClient) -> None:
    """The user of a request is an object of the host's session, which can be changed
    and saved."""

    def rename(response: t.Any) -> t.Any:
        current_user.password = "changed"
        db.session.commit()
        return response

    app.after_request_funcs.setdefault(None, []).append(rename)
    assert puller.get(MANIFEST).status_code == 200
    app.after_request_funcs[None].remove(rename)
    with app.app_context():
        user = db.session.scalars(
            sa.select(registry.models.User).filter_by(username="alice")
        ).one()
        assert user.password == "changed"


@only_sqlite
@pytest.mark.options(oci_cache_policy=True)
def test_child_process_reads_by_itself(app: Flask, puller: RegistryClient) -> None:
    """A child process neither uses nor closes the connection of its parent."""
    child = os.fork()
    if child == 0:
        status = puller.get(MANIFEST).status_code
        os._exit(0 if status == 200 else 1)
    assert os.waitpid(child, 0)[1] == 0
    Administrator(app).change_user("alice", is_active=False)
    assert puller.get(MANIFEST).status_code == 401


@only_sqlite
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.options(oci_cache_policy=True)
def test_child_of_a_busy_process_reads_by_itself(
    app: Flask, puller: RegistryClient
) -> None:
    """Another thread of the parent uses the cache's connection during the fork. The
    child does not wait for that thread, which it does not have."""
    is_reading, may_end = threading.Event(), threading.Event()
    thread = threading.Thread(target=puller.get, args=[MANIFEST])

    def wait(*_: object) -> None:
        if threading.current_thread() is thread:
            is_reading.set()
            may_end.wait()

    with app.app_context():
        engine = db.engine
    commit(app, "UPDATE oci_repository SET visibility = 'public'")
    sa.event.listen(engine, "before_cursor_execute", wait)
    thread.start()
    is_reading.wait()
    child = os.fork()
    if child == 0:
        # A child that waits for ever is ended by the signal.
        signal.alarm(30)
        status = puller.get(MANIFEST).status_code
        os._exit(0 if status == 200 else 1)
    result = os.waitpid(child, 0)[1]
    may_end.set()
    thread.join()
    sa.event.remove(engine, "before_cursor_execute", wait)
    assert result == 0


@only_sqlite
@pytest.mark.parametrize("is_disposed", [False, True])
def test_replaced_file_counts(
    make_app: MakeApp, tmp_path: Path, is_disposed: bool
) -> None:
    """After a backup took the place of the database, answers come from the backup, also
    if the host has not disposed its engine."""
    path = tmp_path / "replaced.sqlite"
    app = make_app(SQLALCHEMY_DATABASE_URI=f"sqlite:///{path}", OCI_CACHE_POLICY=True)
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "v1")
    alice.push_image(NAME, "v2", annotations={"other": "image"})
    puller = alice.bearer(f"repository:{NAME}:pull")
    assert puller.get(MANIFEST).status_code == 200
    backup = tmp_path / "backup.sqlite"
    shutil.copy(path, backup)
    with sqlite3.connect(backup) as connection:
        connection.execute("DELETE FROM oci_tag WHERE name = 'v1'")
    connection.close()
    os.replace(backup, path)
    if is_disposed:
        with app.app_context():
            db.engine.dispose()
    assert puller.get(MANIFEST).status_code == 404


@only_sqlite
def test_database_without_version_is_read(
    make_app: MakeApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a version, each read executes a statement, and the log says so once."""
    app = make_app(
        SQLALCHEMY_DATABASE_URI="sqlite://",
        SQLALCHEMY_ENGINE_OPTIONS={"poolclass": sa.StaticPool},
    )
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "v1")
    assert alice.get(MANIFEST).status_code == 200
    messages = [r.getMessage() for r in caplog.records if "read cache" in r.message]
    (message,) = messages
    assert message.startswith("The read cache is not used: the database has no file.")


@only_sqlite
def test_engine_of_a_dropped_application_is_freed(tmp_path: Path) -> None:
    """The cache keeps neither an engine nor its open files."""

    def use() -> weakref.ref[sa.Engine]:
        app = small_host(tmp_path)
        extension = app.extensions["sqlalchemy"]
        with app.app_context():
            extension.create_all()
            engine = weakref.ref(extension.engine)
        # The repository is looked up before the client is refused.
        assert RegistryClient(app).get(MANIFEST).status_code == 401
        return engine

    engine = use()
    for _ in range(3):
        # The extension keeps an engine until the application has been freed.
        gc.collect()
    assert engine() is None
