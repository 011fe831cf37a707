"""The host's error pages, limits and request classes."""

from __future__ import annotations

import typing as t

import flask
import pytest
from flask import Flask
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import default_exceptions
from werkzeug.exceptions import HTTPException

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import LAYER
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Visitor

from .application import with_registry
from .docker import Docker
from .docker import tell_story

HANDLED: tuple[tuple[t.Any, ...], ...] = (
    tuple(default_exceptions),
    (HTTPException,),
    (Exception,),
    (HTTPException, Exception, *default_exceptions),
)


def page(error: Exception) -> ResponseReturnValue:
    """Show an error page, as a host does."""
    return "<h1>Oh no</h1>", getattr(error, "code", None) or 500


@pytest.mark.shape("Error pages in HTML")
@pytest.mark.parametrize("handled", HANDLED)
def test_error_pages_of_host_do_not_change_v2(
    plain: Flask, handled: tuple[t.Any, ...]
) -> None:
    """The host's handlers, for codes, HTTP errors or all errors, do not change the
    answers of /v2."""
    for what in handled:
        plain.register_error_handler(what, page)
    app = with_registry(plain)
    tell_story(app)
    assert "Oh no" in app.test_client().get("/nowhere").text


@pytest.mark.shape("Error pages in HTML")
@pytest.mark.parametrize("handled", HANDLED)
def test_unexpected_exception_below_v2_is_answered_in_json(
    plain: Flask, handled: tuple[t.Any, ...]
) -> None:
    """An unexpected exception is answered in JSON, after the host's handler."""
    for what in handled:
        plain.register_error_handler(what, page)
    app = with_registry(plain)

    def broken(*arguments: object) -> bool:
        raise LookupError("a bug of the host's")

    alice = RegistryClient.of(app, "alice")
    set_policy(broken)
    try:
        assert refusal(alice.get("/v2/alice/app/tags/list")) == (500, "UNKNOWN")
    finally:
        set_policy(None)


@pytest.mark.shape("MAX_CONTENT_LENGTH of a megabyte")
def test_max_content_length_of_host_does_not_limit_layers(plain: Flask) -> None:
    """The limit applies to the host's forms, and not to layers."""
    plain.config["MAX_CONTENT_LENGTH"] = 1_000_000

    @plain.post("/form")
    def form() -> str:
        return str(len(flask.request.get_data()))

    app = with_registry(plain)
    tell_story(app)
    Docker(app, "alice").push_blob("alice/app", LAYER * 200_000)

    assert app.test_client().post("/form", data=b"x" * 1_000_001).status_code == 413


@pytest.mark.shape("Views that are async")
def test_host_with_async_views_and_hooks_works(plain: Flask) -> None:
    """A host with async views and async hooks works."""

    @plain.before_request
    async def look() -> None:
        return None

    @plain.get("/later")
    async def later() -> str:
        return "now"

    app = with_registry(plain)
    tell_story(app)
    assert app.test_client().get("/later").text == "now"


@pytest.mark.shape("Request and Response classes of the host's own")
def test_request_and_response_classes_of_host_do_not_change_v2(plain: Flask) -> None:
    """The host's defaults for its requests and responses do not change the registry's
    answers."""

    class Request(flask.Request):
        max_form_memory_size = 1000

    class Response(flask.Response):
        default_mimetype = "text/html"
        charset = "latin-1"

    plain.request_class = Request
    plain.response_class = Response
    plain.url_map.strict_slashes = False
    plain.json.compact = False  # type: ignore[attr-defined]
    tell_story(with_registry(plain))


@pytest.mark.shape("No registry.authenticate")
def test_login_without_authenticate_hook_is_logged(
    plain: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets an error, and the log names the missing line."""
    monkeypatch.setattr(registry._hooks, "authenticate", None)
    response = RegistryClient.of(with_registry(plain), "alice").get("/v2/")
    assert refusal(response) == (500, "UNKNOWN")
    assert "@registry.authenticate" in caplog.text


@pytest.mark.shape("No SECRET_KEY")
def test_login_without_secret_key_is_logged(
    plain: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets an error, and the log names the missing key."""
    plain.secret_key = None
    response = RegistryClient.of(with_registry(plain), "alice").get("/v2/token")
    assert refusal(response) == (500, "UNKNOWN")
    assert "Set SECRET_KEY" in caplog.text


@pytest.mark.shape("Pages without the registry")
def test_pages_without_registry_blueprint_are_logged(
    plain: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the missing blueprint."""
    plain.register_blueprint(registry.web_blueprint, url_prefix="/images")
    assert plain.test_client().get("/images/").status_code == 500
    assert "register registry.blueprint as well" in caplog.text


@pytest.mark.shape("REST without the registry")
def test_rest_without_registry_blueprint_is_logged(
    plain: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the missing blueprint."""
    plain.register_blueprint(registry.api_blueprint)
    assert plain.test_client().get("/api/oci/v1/").status_code == 500
    assert "register registry.blueprint as well" in caplog.text


def test_token_form_without_rest_offers_no_manage_action(plain: Flask) -> None:
    """No token is issued for actions that only the REST interface has."""
    plain.register_blueprint(registry.blueprint)
    plain.register_blueprint(registry.web_blueprint, url_prefix="/images")
    boxes = Visitor(plain, "alice").get("/images/-/tokens").all("input")
    offered = [box["value"] for box in boxes if box.get("name") == "actions"]
    assert offered == ["pull", "push", "delete"]
