"""A host's own tests, with pytest-flask."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pytest_flask.live_server import LiveServer

from tests.support.forge import free_port

from .docker import tell_story
from .real_client import tell_real_story


@pytest.fixture(autouse=True)
def _push_request_context(app: Flask) -> t.Iterator[None]:
    """Keep one context open around the whole test, as pytest-flask does."""
    with app.test_request_context():
        yield


@pytest.mark.shape("Tests with pytest-flask")
def test_client_request_within_outer_context_has_its_own_user(
    app: Flask, client: FlaskClient
) -> None:
    """Each request below /v2 has only its own user, although Flask's ``g`` lasts for
    the whole test."""
    assert client.get("/v2/").status_code == 401
    assert client.get("/v2/", auth=("alice", "wonderland")).status_code == 200
    assert client.get("/v2/").status_code == 401
    tell_story(app)


@pytest.mark.real
@pytest.mark.shape("Tests with pytest-flask")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_live_server_serves_same_content(app: Flask, tmp_path: Path) -> None:
    """The live server is another process, with the same database and files."""
    port = free_port()
    # A background run of the tests may ignore an interrupt.
    server = LiveServer(app, "127.0.0.1", port, 30, clean_stop=False)
    server.start()
    try:
        tell_real_story(port, tmp_path)
    finally:
        server.stop()
