"""The Python snippets of the documentation, run in their context."""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import re
import threading
import typing as t
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import flask
import flask_login
import pytest
import werkzeug.security
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_oci import Registry
from flask_oci import signals
from tests.support.doc_blocks import application
from tests.support.doc_blocks import Block
from tests.support.doc_blocks import BLOCKS
from tests.support.paths import TESTS

#: The snippets that are not files. Files belong to the applications of
#: docs/test_docs.py, docs/test_recipes.py and docs/test_authentication.py. Snippets
#: with an ellipsis are not run.
SNIPPETS = [
    block
    for block in BLOCKS
    if block.caption is None and not re.search(r"^ *\.\.\.$", block.code, re.MULTILINE)
]

#: The settings that snippets need.
SETTINGS = {
    "OCI_OIDC_ISSUERS": {"https://gitlab.com": "gitlab"},
    "OCI_OIDC_AUDIENCE": "https://forge.example.org",
}

#: The files, by section. The tests that name a section run its files.
FILES = {
    (block.section, block.caption)
    for block in BLOCKS
    if block.caption and block.page not in ("CONTRIBUTING.md", "docs/quickstart.rst")
}


@pytest.mark.parametrize(("section", "caption"), sorted(FILES))
def test_file_in_documentation_is_tested(section: str, caption: str) -> None:
    """A test runs each file in an application."""
    tests = [path.read_text("utf-8") for path in TESTS.rglob("*.py")]
    assert any(f'"{name}"' in text for text in tests for name in (section, caption))


@pytest.fixture(autouse=True)
def _afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Use an own working directory, and remove the handlers of the audit log."""
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("flask_oci.audit")
    level = logger.level
    yield
    logger.setLevel(level)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


@pytest.fixture(name="host", scope="module")
def _host(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[flask.Flask]:
    """The application of the quickstart, with an account for alice."""
    folder = tmp_path_factory.mktemp("host")
    with application(folder, **SETTINGS) as app, app.app_context():
        models = importlib.import_module("forge.models")
        models.db.session.add(models.User(username="alice", password_hash="x"))
        models.db.session.commit()
        yield app
        models.db.session.remove()
        models.db.engine.dispose()


@pytest.mark.parametrize("block", SNIPPETS, ids=lambda b: f"{b.page}:{b.line}")
def test_snippet_in_documentation_runs(block: Block, host: flask.Flask) -> None:
    """The snippet runs in a request of a signed-in user."""
    names = surroundings(host)
    before = set(threading.enumerate())
    with host.test_request_context():
        flask_login.login_user(names["User"].query.one())
        if "app.register_blueprint" not in block.code:
            names["app"] = host
        if "web_blueprint." in block.code:
            # The blueprint of the host is registered, and accepts no more functions.
            names["registry"] = of_another_model(names["db"], names["User"])
        with foreign():
            exec(compile(block.code, f"{block.page}:{block.line}", "exec"), names)
        names["db"].session.remove()
    if "stop" in names:
        # A background thread of the snippet runs until it is stopped.
        names["stop"].set()
        for thread in set(threading.enumerate()) - before:
            thread.join(60)
            assert not thread.is_alive()
    with names["site"].app_context():
        names["db"].engine.dispose()


@contextlib.contextmanager
def foreign() -> t.Iterator[None]:
    """Skip snippets that need a package outside the project's dependencies."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("opentelemetry",):
            raise
        pytest.skip(f"{error.name} is not installed")


def surroundings(host: flask.Flask) -> dict[str, t.Any]:
    """Return the names that a snippet uses."""
    models = importlib.import_module("forge.models")
    # Snippets that register something need a new blueprint or application.
    app = flask.Flask("reader", instance_path=host.instance_path)
    app.config.from_mapping(
        SECRET_KEY="x",
        SQLALCHEMY_DATABASE_URI="sqlite:///reader.db",
    )
    models.db.init_app(app)
    return {
        **vars(flask),
        **vars(flask_login),
        **vars(werkzeug.security),
        "app": app,
        "db": models.db,
        "DispatcherMiddleware": DispatcherMiddleware,
        "forge": host,
        "gc": gc,
        "logging": logging,
        "pytest": pytest,
        "registry": importlib.import_module("forge.registry").registry,
        "Registry": of_another_model,
        "site": app,
        "timedelta": timedelta,
        "token_id": "3f0c",
        "User": models.User,
    }


def of_another_model(
    db: SQLAlchemy, user_model: object, *, username: str = "nickname", **options: t.Any
) -> Registry:
    """Create a registry for a user model with the page's attributes, because the
    model of the quickstart already has a registry."""

    class Base(DeclarativeBase):
        pass

    other = SQLAlchemy(model_class=Base)

    class User(other.Model):  # type: ignore[misc, name-defined]
        id: Mapped[int] = mapped_column(primary_key=True)
        nickname: Mapped[str] = mapped_column(unique=True)
        email: Mapped[str] = mapped_column(unique=True)

    return Registry(other, User, username=username, **options)


def test_readme_registry_works_in_quickstart(tmp_path: Path) -> None:
    """The application of the quickstart works with this registry instead of its own."""
    with application(tmp_path, "One line") as app:
        registry = importlib.import_module("forge.registry")
        models = importlib.import_module("forge.models")
        models.User.check_password = lambda self, secret: secret == self.password_hash
        with app.app_context():
            models.db.session.add(models.User(username="alice", password_hash="right"))
            assert registry.check("alice", "right").username == "alice"
            assert registry.check("alice", "wrong") is None
            models.db.session.rollback()
            models.db.engine.dispose()
        assert app.test_client().get("/v2/").status_code == 401


def test_signal_receiver_of_documentation_starts_deployment(tmp_path: Path) -> None:
    """The receiver starts a deployment for the right tag only."""
    (block,) = (b for b in BLOCKS if b.section == "Signals" and b.caption)
    with application(tmp_path) as app, app.app_context():
        models: t.Any = importlib.import_module("forge.models")

        class Deployment(models.db.Model):  # type: ignore[misc]
            id: Mapped[int] = mapped_column(primary_key=True)
            digest: Mapped[str]

        models.Deployment = Deployment
        models.db.create_all()
        # blinker holds receivers weakly, so the module must stay referenced.
        module = {"__package__": "forge"}
        exec(compile(block.code, block.page, "exec"), module)
        for repository in ("shop/web", "shop/other"):
            change = SimpleNamespace(
                repository=repository, tags=("production",), digest="sha256:2cf24dba"
            )
            signals.manifest_pushed.send(app, change=change)
        assert Deployment.query.count() == 1
        models.db.session.remove()
        models.db.engine.dispose()
