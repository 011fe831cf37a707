"""Other extensions of a host that act on every request."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
from cachelib import SimpleCache
from flask import Flask
from flask import session
from flask_admin import Admin
from flask_babel import Babel
from flask_compress import Compress
from flask_debugtoolbar import DebugToolbarExtension
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_session import Session
from flask_talisman import Talisman
from flask_wtf import CSRFProtect

from flask_oci.testing.answers import refusal
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

from .application import with_registry
from .docker import Docker
from .docker import tell_story


@pytest.mark.shape("Other packages for translation or CSRF")
def test_extensions_of_other_packages_with_known_names_are_ignored(
    plain: Flask,
) -> None:
    """Flask-BabelEx and others use the same keys as Flask-Babel and Flask-WTF."""
    plain.extensions["babel"] = SimpleNamespace(translations=[])
    plain.extensions["csrf"] = SimpleNamespace(token="x")
    app = with_registry(plain)
    tell_story(app)
    page = app.test_client().get("/images/")
    assert page.status_code == 200
    assert "Images" in page.text


@pytest.mark.shape("CSRFProtect")
@pytest.mark.parametrize("first", ["csrf", "registry"])
def test_csrf_protect_exempts_v2(plain: Flask, first: str) -> None:
    """Clients need no form token, in either order of registration."""
    if first == "csrf":
        CSRFProtect(plain)
        with_registry(plain)
    else:
        with_registry(plain)
        CSRFProtect(plain)
    tell_story(plain)
    assert plain.test_client().post("/images/-/tokens").status_code == 400


@pytest.mark.shape("Flask-Talisman")
def test_talisman_with_https_works(plain: Flask) -> None:
    """Clients use https, as Talisman requires."""
    Talisman(plain)
    tell_story(with_registry(plain), "https://forge.example")


@pytest.mark.shape("Flask-Talisman")
def test_talisman_request_without_https_gets_error_not_redirect(plain: Flask) -> None:
    """The error asks for https. A redirect would turn a POST into a GET."""
    Talisman(plain)
    response = RegistryClient.of(with_registry(plain), "alice").get("/v2/")
    assert refusal(response) == (403, "DENIED")
    assert "https" in response.get_json()["errors"][0]["message"]
    response = RegistryClient(plain).get("/v2/")
    assert refusal(response) == (403, "DENIED")


@pytest.mark.shape("Flask-Limiter")
def test_limiter_default_limit_is_answered_in_json(
    plain: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The refusal is JSON, and the log names the line that exempts the registry."""
    limiter = Limiter(
        get_remote_address,
        app=plain,
        default_limits=["3/hour"],
        storage_uri="memory://",
    )
    alice = RegistryClient.of(with_registry(plain), "alice")
    statuses = [alice.get("/v2/").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    refused = alice.get("/v2/")
    assert refusal(refused) == (429, "TOOMANYREQUESTS")
    assert "3 per 1 hour" in refused.get_json()["errors"][0]["message"]
    assert caplog.text.count("limiter.exempt(registry.blueprint)") == 1
    limiter.exempt(registry.blueprint)
    limiter.exempt(registry.api_blueprint)
    tell_story(plain)


@pytest.mark.shape("Flask-Compress")
@pytest.mark.parametrize("streams", [True, False])
def test_compress_does_not_change_registry_content(plain: Flask, streams: bool) -> None:
    """Content with a digest is sent as the bytes of that digest."""
    plain.config["COMPRESS_MIN_SIZE"] = 0
    plain.config["COMPRESS_STREAMS"] = streams
    plain.config["COMPRESS_MIMETYPES"] = [
        "application/json",
        "application/octet-stream",
        "application/vnd.oci.image.manifest.v1+json",
        "text/html",
    ]
    Compress(plain)
    tell_story(with_registry(plain))
    page = plain.test_client().get("/images/", headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip"


@pytest.mark.shape("Flask-Session")
def test_server_side_session_is_not_created_for_v2(plain: Flask) -> None:
    """Clients get no session, although the host's hooks write to it."""
    cache = SimpleCache()
    plain.config["SESSION_TYPE"] = "cachelib"
    plain.config["SESSION_CACHELIB"] = cache
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        Session(plain)

    @plain.before_request
    def count() -> None:
        session["visits"] = session.get("visits", 0) + 1

    tell_story(with_registry(plain))


@pytest.mark.shape("Flask-DebugToolbar")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:flask_debugtoolbar")
def test_debug_toolbar_does_not_change_v2(plain: Flask) -> None:
    """The toolbar changes only pages."""
    plain.debug = True
    plain.config["DEBUG_TB_INTERCEPT_REDIRECTS"] = True
    # One of its panels needs a setting of Flask-SQLAlchemy.
    plain.config["DEBUG_TB_PANELS"] = [
        "flask_debugtoolbar.panels.headers.HeaderDebugPanel",
        "flask_debugtoolbar.panels.route_list.RouteListDebugPanel",
        "flask_debugtoolbar.panels.request_vars.RequestVarsDebugPanel",
        "flask_debugtoolbar.panels.template.TemplateDebugPanel",
    ]
    DebugToolbarExtension(plain)
    tell_story(with_registry(plain))
    assert "flDebug" in plain.test_client().get("/images/").text


@pytest.mark.shape("Flask-Admin")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:flask_admin")
def test_admin_shows_registry_tables(plain: Flask) -> None:
    """The registry's tables can be shown like the host's models."""
    from flask_admin.contrib.sqla import ModelView

    Babel(plain)
    admin = Admin(plain)
    models = registry.models
    for model in (models.Repository, models.Manifest, models.Tag, models.Credential):
        admin.add_view(ModelView(model, db, endpoint=f"x_{model.__name__}"))
    Docker(with_registry(plain), "alice").push("alice/app", "v1")
    client = plain.test_client()
    for name in ("Repository", "Manifest", "Tag", "Credential"):
        assert client.get(f"/admin/x_{name}/").status_code == 200, name
    assert "alice/app" in client.get("/admin/x_Repository/").text
    with plain.app_context():
        key = registry.repositories.find("alice/app").id
    form = client.get(f"/admin/x_Repository/edit/?id={key}")
    assert form.status_code == 200
    tell_story(plain)
