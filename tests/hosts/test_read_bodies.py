"""Hosts whose hooks read the body of a request before the registry does."""

from __future__ import annotations

import typing as t

import flask
import pytest
from flask import Flask

from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from tests.support.registry_client import RegistryClient

from .application import with_registry
from .docker import tell_story

pytestmark = pytest.mark.sqlite_only

Reader = t.Callable[[], object]

#: Functions that read the body; Werkzeug keeps the bytes.
CACHING: dict[str, Reader] = {
    "get_data": lambda: flask.request.get_data(),
    "data": lambda: flask.request.data,
    "get_json": lambda: flask.request.get_json(silent=True),
    "forced-json": lambda: flask.request.get_json(force=True, silent=True),
    "form": lambda: flask.request.form,
    "data-then-form": lambda: (flask.request.get_data(), flask.request.form),
}

#: Functions that read the body, or some of it; the bytes are lost.
CONSUMING: dict[str, Reader] = {
    "uncached": lambda: flask.request.get_data(cache=False),
    "stream": lambda: flask.request.stream.read(),
    "part": lambda: flask.request.stream.read(7),
    "part-then-data": lambda: (flask.request.stream.read(7), flask.request.get_data()),
}


def reading(app: Flask, read: Reader) -> Flask:
    """Add a hook that reads each body, and then the registry."""

    @app.before_request
    def log_body() -> None:
        read()

    return with_registry(app)


@pytest.mark.shape("A function that reads bodies first")
@pytest.mark.parametrize("name", CACHING)
def test_body_that_host_has_read_is_accepted(plain: Flask, name: str) -> None:
    """Docker logs in, pushes and pulls; the bytes are those that Werkzeug keeps."""
    tell_story(reading(plain, CACHING[name]))


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("name", CACHING)
def test_manifest_that_host_has_read_is_accepted(
    plain: Flask, name: str, chunked: bool
) -> None:
    """A manifest is JSON, so that hooks for JSON read it."""
    alice = RegistryClient.of(reading(plain, CACHING[name]), "alice")
    alice.push_blob("alice/app", CONFIG)
    alice.push_blob("alice/app", LAYER)
    manifest = image()
    response = alice.put_manifest("alice/app", "1.0", manifest, chunked=chunked)
    assert response.status_code == 201
    assert response.headers["Docker-Content-Digest"] == digest_of(manifest)
    assert alice.get("/v2/alice/app/manifests/1.0").data == manifest


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("name", CONSUMING)
def test_body_that_host_has_consumed_is_refused_with_cause(
    plain: Flask, caplog: pytest.LogCaptureFixture, name: str, chunked: bool
) -> None:
    """The error and the log name the application; no bytes are stored."""
    app = reading(plain, lambda: flask.g.get("quiet") or None)
    alice = RegistryClient.of(app, "alice")
    alice.push_blob("alice/app", CONFIG)
    app.before_request_funcs.setdefault(None, []).append(
        lambda: (CONSUMING[name](), None)[1]
    )
    for response in (
        alice.put_manifest("alice/app", "1.0", image(), chunked=chunked),
        alice.request(
            "PATCH", alice.start_upload("alice/app"), b"x" * 100, chunked=chunked
        ),
    ):
        assert refusal(response) == (500, "SIZE_INVALID")
        assert "application read the body" in errors(response)[0]["message"]
    assert 'if request.blueprint == "oci": return' in caplog.text


def test_rest_body_that_host_has_read_is_accepted(plain: Flask) -> None:
    """The REST interface reads JSON as well."""
    alice = RegistryClient.of(reading(plain, CACHING["get_json"]), "alice")
    alice.push_image("alice/app", "1.0")
    response = alice.request(
        "PATCH",
        "/api/oci/v1/repositories/alice/app",
        b'{"description": "new"}',
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("name", [*CACHING, *CONSUMING])
def test_login_form_is_read_before_hooks_of_host(plain: Flask, name: str) -> None:
    """The token service reads the form of a login first, because hooks may use the
    current user."""
    app = reading(plain, {**CACHING, **CONSUMING}[name])
    form = {
        "grant_type": "password",
        "username": "alice",
        "password": "wonderland",
        "service": "forge",
        "client_id": "docker",
    }
    response = app.test_client().post("/v2/token", data=form)
    assert response.status_code == 200
    assert response.get_json()["access_token"]


def test_manifest_that_host_has_read_is_limited(plain: Flask) -> None:
    """The limit of a manifest applies to its cached bytes, and to a stream that the
    host has opened."""
    plain.config["OCI_MAX_MANIFEST_SIZE"] = 1000
    opened: list[object] = []
    app = reading(plain, lambda: opened.append(flask.request.stream))
    alice = RegistryClient.of(app, "alice")
    for chunked in (False, True):
        response = alice.put_manifest(
            "alice/app", "1.0", image().ljust(100_000), chunked=chunked
        )
        assert refusal(response) == (413, "MANIFEST_INVALID")
