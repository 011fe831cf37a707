"""Logins of a host: with Flask-Login, without it, and with login walls."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from flask import abort
from flask import Flask
from flask import redirect
from flask import render_template_string
from flask import request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_login import UserMixin
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci.testing.answers import refusal
from tests.support.host import Administrator
from tests.support.host import login_manager
from tests.support.registry_client import RegistryClient

from .application import database
from .application import Host
from .application import StandardUser
from .application import with_registry
from .docker import Docker
from .docker import tell_story
from .security import secure
from .security import security_host

MakeHost = t.Callable[..., Host]


@pytest.mark.shape("No Flask-Login")
def test_host_without_flask_login_works(make_host: MakeHost) -> None:
    """The registry finds users by their keys, and uses no login manager."""
    db = database()

    class User(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str]

    tell_story(make_host(db, User, login=False).app)


@pytest.mark.shape("A user_loader with more arguments")
@pytest.mark.parametrize("own", [True, False])
def test_user_loader_with_more_arguments_is_not_called(
    make_host: MakeHost, own: bool
) -> None:
    """The registry's own function replaces it, or else the look-up by primary key."""

    db = database()

    class User(StandardUser, db.Model):
        pass

    host = make_host(db, User)

    def load(user_id: str, random: str, session_key: str) -> t.Any:
        raise AssertionError("The registry has no session.")

    t.cast(t.Any, host.app).login_manager.user_loader(load)

    if own:
        host.registry.user_loader(host.load)
    tell_story(host.app)
    assert RegistryClient.of(host.app, "alice").bearer().get("/v2/").status_code == 200


@pytest.mark.shape("A request_loader")
def test_request_loader_of_host_gets_no_registry_token(
    plain: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's loader, which reads the same header, gets no token of the registry."""

    def load(request: t.Any) -> t.Any:
        if "Authorization" in request.headers:
            abort(401, "This is no token of the host's.")

    monkeypatch.setattr(login_manager, "_request_callback", load)
    app = with_registry(plain)

    @app.get("/me")
    def me() -> str:
        return str(current_user.is_authenticated)

    tell_story(app)
    client = app.test_client()
    assert client.get("/me").text == "False"
    assert client.get("/me", headers={"Authorization": "x"}).status_code == 401


@pytest.mark.shape("Flask-Security")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:flask_security")
def test_host_with_flask_security_works(make_host: MakeHost) -> None:
    """Its datastore loads a user by a value that is neither the key nor the name."""
    made = security_host(make_host)
    host, store, db = made
    secure(made)

    @host.registry.authenticate
    def check(username: str, secret: str) -> t.Any:
        user = store.find_user(username=username)
        return user if user and user.verify_and_update_password(secret) else None

    tell_story(host.app)
    alice = RegistryClient.of(host.app, "alice").bearer()
    assert alice.get("/v2/").status_code == 200
    with host.app.app_context():
        # Flask-Security ends all sessions of a user in this way.
        store.set_uniquifier(t.cast(t.Any, store.find_user(username="alice")))
        db.session.commit()
    assert refusal(alice.get("/v2/")) == (401, "UNAUTHORIZED")


@pytest.mark.shape("Users that have an address for a name")
def test_users_with_email_names_work_with_authorize(make_host: MakeHost) -> None:
    """An e-mail address is not a valid repository name, so the host decides access."""
    db = database()

    class User(UserMixin, db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(sa.String(80), unique=True)
        team: Mapped[str]
        password: Mapped[str]

    def make(name: str, password: str) -> User:
        return User(email=f"{name}@example.org", team=name, password=password)

    host = make_host(db, User, username="email", users=make)

    @host.registry.authorize
    def may(user: t.Any, action: str, repository: t.Any) -> bool:
        return user is not None and user.team == repository.namespace

    alice = Docker(host.app, "alice@example.org", "wonderland")
    bob = Docker(host.app, "bob@example.org", "builder")
    manifest = alice.push("alice/app", "v1")
    assert alice.pull("alice/app", "v1") == manifest
    refused = bob.request("GET", "/v2/alice/app/manifests/v1")
    assert refusal(refused) == (404, "NAME_UNKNOWN")


def to_the_login_page() -> ResponseReturnValue:
    return redirect("/login")


def the_login_page() -> ResponseReturnValue:
    return render_template_string("<h1>Sign in</h1>")


def the_login_page_forbidden() -> ResponseReturnValue:
    return render_template_string("<h1>Sign in</h1>"), 403


def abort_to_the_login_page() -> ResponseReturnValue:
    abort(redirect("/login"))


def abort_unauthorized() -> ResponseReturnValue:
    abort(401)


def unauthorized() -> ResponseReturnValue:
    return t.cast(ResponseReturnValue, login_manager.unauthorized())


WALLS = (
    to_the_login_page,
    the_login_page,
    the_login_page_forbidden,
    abort_to_the_login_page,
    abort_unauthorized,
    unauthorized,
)


def walled(app: Flask, wall: t.Callable[[], ResponseReturnValue]) -> Flask:
    """Send every visitor without a session to the host's login page."""

    @app.before_request
    def sign_in_first() -> ResponseReturnValue | None:
        if current_user.is_authenticated or request.path == "/login":
            return None
        return wall()

    return with_registry(app)


@pytest.mark.shape("A login wall in before_request")
@pytest.mark.parametrize("wall", WALLS)
def test_login_wall_lets_clients_with_credentials_pass(
    plain: Flask, wall: t.Callable[[], ResponseReturnValue]
) -> None:
    """The challenge names the token endpoint, and a token passes the wall."""
    app = walled(plain, wall)
    tell_story(app)
    page = app.test_client().get("/images/")
    assert page.status_code in (200, 302, 303, 401, 403)
    assert "Docker-Distribution-API-Version" not in page.headers


@pytest.mark.shape("A login wall in before_request")
def test_login_wall_refuses_anonymous_pull_of_public_image(plain: Flask) -> None:
    """The wall refuses anonymous pulls until the host exempts the registry."""
    app = walled(plain, to_the_login_page)
    Docker(app, "alice").push("alice/app", "v1")
    Administrator(app).publish("alice/app")
    path = "/v2/alice/app/manifests/v1"
    assert refusal(Docker(app).request("GET", path)) == (401, "UNAUTHORIZED")
    assert refusal(Docker(app).request("GET", "/v2/token")) == (401, "UNAUTHORIZED")


@pytest.mark.shape("A login wall in before_request")
def test_login_wall_that_exempts_registry_allows_anonymous_pull(plain: Flask) -> None:
    """The documented line allows anonymous pulls of public images."""

    @plain.before_request
    def sign_in_first() -> ResponseReturnValue | None:
        if request.blueprint in ("oci", "oci_api"):
            return None
        return redirect("/login")

    app = with_registry(plain)
    tell_story(app)
    manifest = Docker(app, "alice").push("alice/app", "v1")
    Administrator(app).publish("alice/app")
    assert Docker(app).pull("alice/app", "v1") == manifest


@pytest.mark.shape("A page that everybody has to see first")
def test_redirect_of_signed_in_user_becomes_error_with_address(
    plain: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The error names the page that the user has to visit, and the log names the line
    that exempts the registry."""

    @plain.before_request
    def accept_the_terms() -> ResponseReturnValue | None:
        return redirect("/terms")

    app = with_registry(plain)
    assert refusal(RegistryClient(app).get("/v2/")) == (401, "UNAUTHORIZED")
    response = RegistryClient.of(app, "alice").get("/v2/token")
    assert refusal(response) == (403, "DENIED")
    assert "/terms" in response.get_json()["errors"][0]["message"]
    assert 'if request.blueprint == "oci": return' in caplog.text
