"""The budget of version checks: how often a request asks whether anything changed."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from tests.support.host import close_connections
from tests.support.host import DATABASE_URL
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.statements import collected

if t.TYPE_CHECKING:
    from flask import Flask

    from flask_oci import RepositoryInfo
    from tests.conftest import MakeApp

NAME = "alice/app"
LAYER = b"a layer"
MANIFEST = image(LAYER)

#: The beginning of the statement that returns a version.
VERSION = ("PRAGMA data_version", "SELECT pg_current_snapshot")

Ask = t.Callable[[RegistryClient, str], t.Any]

#: The requests of a pull.
PULLS: dict[str, tuple[str, Ask]] = {
    f"{method} {kind}": (f"/v2/{NAME}/{path}", ask)
    for kind, path in {
        "by tag": "manifests/latest",
        "by digest": f"manifests/{digest_of(MANIFEST)}",
        "blob": f"blobs/{digest_of(LAYER)}",
    }.items()
    for method, ask in {
        "GET": RegistryClient.get,
        "HEAD": RegistryClient.head,
    }.items()
}

pytestmark = pytest.mark.skipif(
    (DATABASE_URL or "sqlite").startswith(("mysql", "mariadb")),
    reason="the database has no version",
)


#: The functions that get each statement of a SQLite connection.
WATCHERS: list[t.Callable[[str], None]] = []


@pytest.fixture(autouse=True)
def _traced() -> Iterator[None]:
    """Trace all connections to SQLite. The cache sends its pragma to the driver, past
    SQLAlchemy's events."""

    def watch(statement: str) -> None:
        for watcher in WATCHERS:
            watcher(statement)

    def trace(driver: t.Any, *_: object) -> None:
        if hasattr(driver, "set_trace_callback"):
            driver.set_trace_callback(watch)

    sa.event.listen(sa.Pool, "connect", trace)
    # The connections that other tests have left are not traced.
    close_connections()
    yield
    sa.event.remove(sa.Pool, "connect", trace)


@contextmanager
def counted_checks() -> Iterator[list[str]]:
    """Collect the statements that ask for a version, on any connection."""
    checks: list[str] = []

    def collect(statement: str) -> None:
        if statement.startswith(VERSION):
            checks.append(statement)

    def execute(_connection: t.Any, _cursor: t.Any, statement: str, *_: object) -> None:
        collect(statement)

    WATCHERS.append(collect)
    sa.event.listen(sa.Engine, "before_cursor_execute", execute)
    try:
        yield checks
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", execute)
        WATCHERS.remove(collect)


def may(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
    """Decide as the default policy does, in a function of the host."""
    return registry.default_policy(user, action, repository)


def puller_of(app: Flask) -> RegistryClient:
    """Return a client with a bearer token, which has pushed an image and pulled it."""
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "latest", layer=LAYER)
    puller = alice.bearer(f"repository:{NAME}:pull,push")
    puller.get(f"/v2/{NAME}/manifests/latest")
    return puller


def pull(puller: RegistryClient, kind: str) -> None:
    """Send one request of a pull, which has to succeed."""
    path, ask = PULLS[kind]
    with ask(puller, path) as response:
        assert response.status_code == 200


@pytest.mark.parametrize("kind", PULLS)
@pytest.mark.parametrize("is_cached", [False, True])
@pytest.mark.parametrize("policy", [None, may], ids=["default", "own"])
def test_repeated_pull_asks_once_for_the_version(
    make_app: MakeApp, policy: t.Any, is_cached: bool, kind: str
) -> None:
    """With a policy that is cached, it executes no other statement; without, only the
    one of the host that loads its user."""
    puller = puller_of(make_app(policy, OCI_CACHE_POLICY=is_cached))
    pull(puller, kind)
    with counted_checks() as checks, collected(sa.Engine) as statements:
        pull(puller, kind)
    assert len(checks) == 1
    assert len(statements) == (0 if is_cached else 1), statements


@pytest.mark.parametrize("kind", PULLS)
def test_pull_after_commit_asks_again_after_each_read(
    make_app: MakeApp, kind: str
) -> None:
    """A row is kept only if the version is the same after it was read."""
    puller = puller_of(make_app(OCI_CACHE_POLICY=True))
    puller.push_image(NAME, "other", annotations={"other": "image"})
    with counted_checks() as checks, collected(sa.Engine) as statements:
        pull(puller, kind)
    # The user is read by an ORM statement, and kept as well.
    assert len(checks) == 1 + len(statements)
    assert len(statements) <= 4, statements


@pytest.mark.options(oci_read_cache=False)
def test_pull_without_cache_asks_for_no_version(app: Flask) -> None:
    """With ``OCI_READ_CACHE = False``, no version is needed."""
    puller = puller_of(app)
    with counted_checks() as checks:
        puller.get(f"/v2/{NAME}/manifests/latest")
    assert checks == []


def test_push_of_known_manifest_asks_a_bounded_number_of_times(
    make_app: MakeApp,
) -> None:
    """It asks at the start and when the body has arrived, and after each of four reads.
    Within the transaction it does not ask, because the cache is not used there."""
    pusher = puller_of(make_app(may, OCI_CACHE_POLICY=True))
    pusher.push_manifest(NAME, MANIFEST, "latest")
    with counted_checks() as checks:
        pusher.push_manifest(NAME, MANIFEST, "latest")
    assert len(checks) <= 2 + 4


@pytest.mark.server_only
def test_push_asks_no_server_for_its_version(make_app: MakeApp) -> None:
    """Each commit of the push changes the version, so a comparison would cost a
    statement and find nothing."""
    pusher = puller_of(make_app(may, OCI_CACHE_POLICY=True))
    with counted_checks() as checks:
        pusher.push_blob(NAME, b"another layer")
        pusher.push_manifest(NAME, image(b"another layer"), "new")
    assert checks == []
