"""The registry beside the host's own hooks, sessions and forms."""

from __future__ import annotations

import typing as t
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask import session
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from flask_login import current_user
from flask_login import login_required
from flask_login import login_user
from flask_wtf import CSRFProtect
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.support.credentials import by_access_token
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import registry
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]

ADDRESSES = (
    ("GET", "/v2/"),
    ("GET", "/v2/_catalog"),
    ("GET", "/v2/token?scope=repository:alice/app:pull,push,delete"),
    ("GET", "/v2/alice/app/tags/list"),
    ("GET", "/v2/alice/app/manifests/v1"),
    ("HEAD", "/v2/alice/app/manifests/v1"),
    ("PUT", "/v2/alice/app/manifests/v1"),
    ("DELETE", "/v2/alice/app/manifests/v1"),
    ("GET", f"/v2/alice/app/blobs/{digest_of(LAYER)}"),
    ("DELETE", f"/v2/alice/app/blobs/{digest_of(LAYER)}"),
    ("GET", f"/v2/alice/app/referrers/{digest_of(LAYER)}"),
    ("POST", "/v2/alice/app/blobs/uploads/"),
    ("GET", f"/v2/alice/app/blobs/uploads/{NO_SESSION}"),
    ("PATCH", f"/v2/alice/app/blobs/uploads/{NO_SESSION}"),
    ("PUT", f"/v2/alice/app/blobs/uploads/{NO_SESSION}"),
    ("DELETE", f"/v2/alice/app/blobs/uploads/{NO_SESSION}"),
    ("POST", "/v2/token"),
    ("GET", "/v2/nowhere"),
)


@pytest.fixture(name="seen")
def _seen(app: Flask) -> list[str]:
    """The user that each of the host's hooks sees, in the order of the hooks."""
    seen: list[str] = []

    def look() -> None:
        seen.append(getattr(current_user, "username", "nobody"))

    def look_after(response: t.Any) -> t.Any:
        look()
        session["visits"] = len(seen)
        return response

    app.before_request(look)
    app.after_request(look_after)
    app.teardown_request(lambda error: look())

    @app.post("/sign-in/<name>")
    def sign_in(name: str) -> str:
        login_user(user_named(name), remember=True)
        return "welcome"

    @app.get("/page")
    @login_required  # type: ignore[untyped-decorator]
    def page() -> str:
        return f"a page of {current_user.username}"

    return seen


@pytest.fixture(name="browser")
def _browser(app: Flask, seen: list[str]) -> FlaskClient:
    """A browser in which bob is signed in, with a remember cookie."""
    browser = app.test_client()
    assert browser.post("/sign-in/bob").status_code == 200
    assert browser.get("/page").text == "a page of bob"
    assert browser.get_cookie("remember_token")
    seen.clear()
    return browser


def send(
    client: FlaskClient, method: str, path: str, authorization: str | None = None
) -> TestResponse:
    """Send a request from a browser, with or without credentials."""
    headers = {"Authorization": authorization} if authorization else {}
    return client.open(path, method=method, headers=headers)


def test_host_hooks_see_the_user_of_the_credentials(
    alice: RegistryClient, browser: FlaskClient, seen: list[str]
) -> None:
    """The user of the credentials, before and after the view, for every kind of
    credential and in spite of a cookie."""
    by_token = by_access_token(alice.app, "alice")
    for client in (alice, alice.bearer(), by_token, by_token.bearer()):
        for method, path in ADDRESSES[:8]:
            seen.clear()
            send(browser, method, path, client.authorization)
            assert set(seen) == {"alice"}, (method, path, seen)
            assert len(seen) == 3


@pytest.mark.parametrize(
    "authorization",
    [None, basic("", ""), basic("bob", "wrong"), "Bearer x", "Negotiate x", "\xe9"],
)
def test_host_hooks_without_valid_credentials_see_no_user(
    browser: FlaskClient, seen: list[str], authorization: str | None
) -> None:
    """A request without valid credentials is anonymous in spite of a cookie."""
    for method, path in ADDRESSES:
        send(browser, method, path, authorization)
    assert set(seen) == {"nobody"}


def test_host_hooks_see_the_user_of_a_token_form(
    app: Flask, browser: FlaskClient, seen: list[str]
) -> None:
    """The form of the token endpoint contains credentials."""
    form = {"grant_type": "password", "username": "alice", "password": "wonderland"}
    assert browser.post("/v2/token", data=form).status_code == 200
    assert seen == ["alice"] * 3


def test_session_cookie_gives_no_access_to_v2(
    alice: RegistryClient, bob: RegistryClient, browser: FlaskClient
) -> None:
    """A browser with a session gets the same answer as one without, on every address,
    because another site could send it there."""
    app = alice.app
    alice.push_image("alice/app", "v1")
    bob.push_image("bob/app", "v1")
    for method, path in ADDRESSES:
        for name in ("alice", "bob"):
            address = path.replace("alice", name)
            with_cookie = send(browser, method, address)
            without = RegistryClient(app).request(method, address)
            assert with_cookie.status_code == without.status_code
            if "token" in address and with_cookie.status_code == 200:
                scopes = with_cookie.get_json()["scope"], without.get_json()["scope"]
                assert scopes == ("", "")
                continue
            assert with_cookie.data == without.data
            assert with_cookie.status_code >= 400
    assert bob.tags("bob/app") == ["v1"]


def test_v2_sets_no_cookie(alice: RegistryClient, browser: FlaskClient) -> None:
    """Neither the host's session, to which its hooks write, nor a remember cookie."""
    alice.push_image("alice/app", "v1")
    for authorization in (alice.authorization, basic("alice", "wrong"), None):
        for method, path in ADDRESSES:
            for client in (browser, alice.app.test_client()):
                response = send(client, method, path, authorization)
                assert "Set-Cookie" not in response.headers, (method, path)
    assert browser.get("/page").headers["Set-Cookie"]


def test_v2_answers_do_not_vary_by_cookie(alice: RegistryClient) -> None:
    """A cache need not tell cookies apart, although Flask-Login reads the session."""
    alice.push_image("alice/app", "v1")
    for authorization in (alice.authorization, basic("alice", "wrong"), None):
        for method, path in ADDRESSES:
            response = send(alice.app.test_client(), method, path, authorization)
            assert "Cookie" not in response.vary, (method, path)


def test_v2_keeps_sessions_of_the_host_apart(
    app: Flask, alice: RegistryClient, browser: FlaskClient
) -> None:
    """Hooks of the host see the session of the request's own cookie, or none."""
    visits: list[object] = []
    look = app.before_request_funcs[None].append
    look(lambda: visits.append(session.get("visits")))
    with browser.session_transaction() as stored:
        stored["visits"] = "bob's"
    send(browser, "GET", "/v2/", alice.authorization)
    send(app.test_client(), "GET", "/v2/", alice.authorization)
    assert visits == ["bob's", None]


def test_settings_of_session_interface_stay(tmp_path: Path) -> None:
    """A host that shares its sessions with another application has set the salt of
    Flask's own interface before it adds the registry."""

    class Signing(Flask):
        session_interface = SecureCookieSessionInterface()

    Signing.session_interface.salt = "of both applications"
    app = Signing("forge", instance_path=str(tmp_path))
    other = Signing("other")
    for each in (app, other):
        each.secret_key = "of both applications"
        each.add_url_rule("/", view_func=lambda: dict(session))
    registry.init_app(app)
    browser = app.test_client()
    with other.test_client() as elsewhere:
        with elsewhere.session_transaction() as stored:
            stored["user"] = "alice"
        cookie = elsewhere.get_cookie("session")
    assert cookie is not None
    browser.set_cookie("session", cookie.value)
    assert browser.get("/").get_json() == {"user": "alice"}


def test_v2_redirects_nowhere(alice: RegistryClient, browser: FlaskClient) -> None:
    """No answer redirects to a sign-in page, and each location is below /v2."""
    alice.push_image("alice/app", "v1")
    for authorization in (alice.authorization, None):
        for method, path in ADDRESSES:
            for address in (path, path.replace("/v2/", "/v2//"), path + "/"):
                response = send(browser, method, address, authorization)
                assert not 300 <= response.status_code < 400, (method, address)
                assert response.headers.get("Location", "/v2/").startswith("/v2/")


def test_registry_credential_opens_no_host_page(
    app: Flask, alice: RegistryClient, seen: list[str]
) -> None:
    """No credential of the registry signs a visitor in to the host, neither in a header
    nor in a cookie."""
    bearer = alice.bearer("repository:alice/app:pull")
    secret, kept = issue(app, "alice").secret, log_in(alice)["refresh_token"]
    token = (bearer.authorization or "").removeprefix("Bearer ")
    for header in (
        alice.authorization,
        bearer.authorization,
        basic("alice", secret),
        f"Bearer {secret}",
        f"Bearer {kept}",
    ):
        response = send(app.test_client(), "GET", "/page", header)
        assert response.status_code == 401
    for value in (token, secret, kept):
        for cookie in ("session", "remember_token"):
            client = app.test_client()
            client.set_cookie(cookie, quote(value))
            assert client.get("/page").status_code == 401
    assert "alice" not in seen[-5:]


def test_host_cookie_is_refused_as_token(
    app: Flask, browser: FlaskClient, alice: RegistryClient
) -> None:
    """A cookie that the host signs with the same key is not a token."""
    for name in ("session", "remember_token"):
        cookie = browser.get_cookie(name)
        assert cookie is not None
        for header in (f"Bearer {cookie.value}", basic("bob", cookie.value)):
            assert RegistryClient(app, header).get("/v2/").status_code == 401


def test_user_of_a_request_is_gone_in_the_next(
    alice: RegistryClient, seen: list[str]
) -> None:
    """The next request of the same worker has only its own user."""
    client = alice.app.test_client()
    assert send(client, "GET", "/v2/", alice.authorization).status_code == 200
    assert send(client, "GET", "/v2/").status_code == 401
    assert client.get("/page").status_code == 401
    assert seen == [*["alice"] * 3, *["nobody"] * 6]


def test_csrf_protection_of_host_exempts_v2(app: Flask, seen: list[str]) -> None:
    """Flask-WTF protects the host's forms. Requests to /v2, which use no cookie, need
    no form token."""
    app.config["WTF_CSRF_ENABLED"] = True
    CSRFProtect(app)
    alice = RegistryClient.of(app, "alice")
    assert app.test_client().post("/sign-in/alice").status_code == 400
    alice.push_image("alice/app", "v1")
    assert alice.delete("/v2/alice/app/manifests/v1").status_code == 202
    assert app.test_client().post("/sign-in/alice").status_code == 400


def test_credentials_of_disabled_account_are_refused(
    admin: Administrator, alice: RegistryClient
) -> None:
    """The account is checked at each request, for each kind of credential."""
    by_token = by_access_token(alice.app, "alice")
    clients = (alice, alice.bearer(), by_token, by_token.bearer())
    for active, status in ((False, 401), (True, 200), (False, 401)):
        admin.change_user("alice", is_active=active)
        for client in clients:
            assert client.get("/v2/").status_code == status
