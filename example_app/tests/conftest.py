"""Fixtures: the forge, and clients that are logged in to it."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.security import generate_password_hash

from example_app import create_app
from example_app.models import db
from flask_oci.testing import DockerClient
from flask_oci.testing import MakeClient

# The fixtures that begin with `oci_`.
pytest_plugins = ["flask_oci.testing.plugin"]


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """Replace pytest-flask's fixture: one context per request, as in production."""


@pytest.fixture
def app(
    tmp_path: Path, oci_storage: Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Flask]:
    """A new forge with the demonstration accounts."""
    monkeypatch.setenv("EXAMPLE_INSTANCE", str(tmp_path))
    # A real hash is slow on purpose. No test needs that.
    quick = functools.partial(generate_password_hash, method="pbkdf2:sha256:1")
    monkeypatch.setattr("example_app.first_start.generate_password_hash", quick)
    app = create_app(
        {
            "TESTING": True,
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/test.db",
            "OCI_STORAGE_PATH": oci_storage,
        }
    )
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def alice(oci_client: MakeClient) -> DockerClient:
    """A client logged in as alice, with her password."""
    return oci_client("alice", "wonderland")


@pytest.fixture
def bob(oci_client: MakeClient) -> DockerClient:
    """A client logged in as bob, with his password."""
    return oci_client("bob", "builder")
