from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_oci.testing import serving
from tests.support.host import Administrator
from tests.support.host import Authorize
from tests.support.host import close_connections
from tests.support.host import create_app
from tests.support.host import DATABASE_URL
from tests.support.host import empty_database
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient

pytest_plugins = ["flask_oci.testing.plugin", "pytester"]

MakeApp = t.Callable[..., Flask]


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Deselect longer forms, and the tests that say nothing about the database of this
    run."""
    others = [item for item in items if not _looks_at_it(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if _looks_at_it(item)]


def _looks_at_it(item: pytest.Item) -> bool:
    if item.get_closest_marker("full") and os.environ.get("TORTURE") != "full":
        return False
    if not DATABASE_URL:
        return item.get_closest_marker("server_only") is None
    uses_it = "database_url" in getattr(item, "fixturenames", ())
    return uses_it and item.get_closest_marker("sqlite_only") is None


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """Replace pytest-flask's fixture: one context per request, as in production.

    The original keeps one application context open around a whole test. The test
    client then reuses it, and ``flask.g`` with Flask-Login's user in it leaks from
    one request into the next: an anonymous request would be answered as alice.
    """


@pytest.fixture(scope="session", autouse=True)
def _impatience() -> t.Iterator[None]:
    """Replace ``fsync``, because no test cuts the power.

    A file that is not open is still an error.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(name="_empty_database", scope="session")
def _empty_database_once() -> t.Iterator[None]:
    if DATABASE_URL:
        empty_database(DATABASE_URL)
    yield
    close_connections()


@pytest.fixture(name="database_url", scope="session")
def _database_url(
    tmp_path_factory: pytest.TempPathFactory, _empty_database: None
) -> str:
    """The URL of the database that all tests share; only accounts are in it."""
    return DATABASE_URL or f"sqlite:///{tmp_path_factory.mktemp('db')}/forge.sqlite"


@pytest.fixture(name="make_app")
def _make_app(tmp_path: Path, database_url: str) -> t.Iterator[MakeApp]:
    """Return a function that creates an application with other settings.

    All applications of one test share a database and a blob folder, so a second one
    is like a restart with a changed configuration.
    """
    apps: list[Flask] = []

    def make_app(authorize: Authorize | None = None, **config: object) -> Flask:
        set_policy(authorize)
        config = {"SQLALCHEMY_DATABASE_URI": database_url, **config}
        app = create_app(tmp_path, **config)
        if not apps:
            Administrator(app).start_afresh()
        apps.append(app)
        return app

    yield make_app
    set_policy(None)


@pytest.fixture(name="app")
def _app(make_app: MakeApp, request: pytest.FixtureRequest) -> Flask:
    """An application, configured by the ``options`` markers of the test and its module.

    A marker of the test takes precedence."""
    config: dict[str, object] = {}
    for marker in reversed(list(request.node.iter_markers("options"))):
        config.update({key.upper(): value for key, value in marker.kwargs.items()})
    return make_app(**config)


@pytest.fixture(name="admin")
def _admin(app: Flask) -> Administrator:
    """An operator of the application, who changes accounts and rows directly."""
    return Administrator(app)


@pytest.fixture(name="client")
def _client(app: Flask) -> FlaskClient:
    """A browser: Flask's own test client, with cookies."""
    return app.test_client()


@pytest.fixture(name="alice")
def _alice(app: Flask) -> RegistryClient:
    """A client logged in as alice."""
    return RegistryClient.of(app, "alice")


@pytest.fixture(name="bob")
def _bob(app: Flask) -> RegistryClient:
    """A client logged in as bob."""
    return RegistryClient.of(app, "bob")


@pytest.fixture(name="carol")
def _carol(app: Flask) -> RegistryClient:
    """A client with the credentials of carol, whose account is not active."""
    return RegistryClient.of(app, "carol")


@pytest.fixture(name="anonymous")
def _anonymous(app: Flask) -> RegistryClient:
    """A client without credentials."""
    return RegistryClient(app)


@pytest.fixture(name="serve")
def _serve() -> t.Iterator[t.Callable[[Flask], int]]:
    """Return a function that serves an application on a port of 127.0.0.1."""
    with contextlib.ExitStack() as stack:
        yield lambda app: stack.enter_context(serving(app))
