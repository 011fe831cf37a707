"""The registry and the rest of its host: what each sees of the other."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

import pytest
from flask import Flask
from flask import session
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
    """Whom the host's hooks take for its visitor, in the order in which they run."""
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
    """A browser in which bob has signed in, and asked to be remembered."""
    browser = app.test_client()
    assert browser.post("/sign-in/bob").status_code == 200
    assert browser.get("/page").text == "a page of bob"
    assert browser.get_cookie("remember_token")
    seen.clear()
    return browser


def send(
    client: FlaskClient, method: str, path: str, authorization: str | None = None
) -> TestResponse:
    """Send a request from a browser, with credentials or without."""
    headers = {"Authorization": authorization} if authorization else {}
    return client.open(path, method=method, headers=headers)


def test_hooks_see_who_asks(
    alice: RegistryClient, browser: FlaskClient, seen: list[str]
) -> None:
    """The one that the credentials are of, before and after the view, whatever a cookie
    says, and however they were sent."""
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
def test_hooks_see_nobody_where_nobody_is_known(
    browser: FlaskClient, seen: list[str], authorization: str | None
) -> None:
    """Who sends nothing, or what is refused, is not whom the cookie names."""
    for method, path in ADDRESSES:
        send(browser, method, path, authorization)
    assert set(seen) == {"nobody"}


def test_who_is_logged_in_by_a_form_is_seen(
    app: Flask, browser: FlaskClient, seen: list[str]
) -> None:
    """The token endpoint's form has credentials of its own."""
    form = {"grant_type": "password", "username": "alice", "password": "wonderland"}
    assert browser.post("/v2/token", data=form).status_code == 200
    assert seen == ["alice"] * 3


def test_a_cookie_opens_nothing(
    alice: RegistryClient, bob: RegistryClient, browser: FlaskClient
) -> None:
    """A browser with a session is answered as one without, on every address: another
    site could send it there."""
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


def test_no_answer_sets_a_cookie(alice: RegistryClient, browser: FlaskClient) -> None:
    """Not the host's session, though its hooks write to it, nor a remembered login."""
    alice.push_image("alice/app", "v1")
    for authorization in (alice.authorization, basic("alice", "wrong"), None):
        for method, path in ADDRESSES:
            for client in (browser, alice.app.test_client()):
                response = send(client, method, path, authorization)
                assert "Set-Cookie" not in response.headers, (method, path)
    assert browser.get("/page").headers["Set-Cookie"]


def test_no_answer_leads_elsewhere(alice: RegistryClient, browser: FlaskClient) -> None:
    """There is no page to sign in on below /v2, and no address but one's own."""
    alice.push_image("alice/app", "v1")
    for authorization in (alice.authorization, None):
        for method, path in ADDRESSES:
            for address in (path, path.replace("/v2/", "/v2//"), path + "/"):
                response = send(browser, method, address, authorization)
                assert not 300 <= response.status_code < 400, (method, address)
                assert response.headers.get("Location", "/v2/").startswith("/v2/")


def test_a_token_opens_no_page(
    app: Flask, alice: RegistryClient, seen: list[str]
) -> None:
    """No credential of the registry's signs anybody in to the host, as a header or in
    the place of a cookie."""
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


def test_a_cookie_is_no_token(
    app: Flask, browser: FlaskClient, alice: RegistryClient
) -> None:
    """What the host signs for itself, with the same key, is not taken for a token."""
    for name in ("session", "remember_token"):
        cookie = browser.get_cookie(name)
        assert cookie is not None
        for header in (f"Bearer {cookie.value}", basic("bob", cookie.value)):
            assert RegistryClient(app, header).get("/v2/").status_code == 401


def test_nothing_is_left_of_a_request(alice: RegistryClient, seen: list[str]) -> None:
    """The next request of the same worker is its sender's."""
    client = alice.app.test_client()
    assert send(client, "GET", "/v2/", alice.authorization).status_code == 200
    assert send(client, "GET", "/v2/").status_code == 401
    assert client.get("/page").status_code == 401
    assert seen == [*["alice"] * 3, *["nobody"] * 6]


def test_a_host_that_wants_a_token_of_its_forms(app: Flask, seen: list[str]) -> None:
    """Flask-WTF's protection is for what believes cookies: the host's forms are
    protected, and docker, which sends none, is not asked."""
    app.config["WTF_CSRF_ENABLED"] = True
    CSRFProtect(app)
    alice = RegistryClient.of(app, "alice")
    assert app.test_client().post("/sign-in/alice").status_code == 400
    alice.push_image("alice/app", "v1")
    assert alice.delete("/v2/alice/app/manifests/v1").status_code == 202
    assert app.test_client().post("/sign-in/alice").status_code == 400


def test_an_account_that_is_switched_off(
    admin: Administrator, alice: RegistryClient
) -> None:
    """It is asked at each request, for each kind of credential, and on again."""
    by_token = by_access_token(alice.app, "alice")
    clients = (alice, alice.bearer(), by_token, by_token.bearer())
    for active, status in ((False, 401), (True, 200), (False, 401)):
        admin.change_user("alice", is_active=active)
        for client in clients:
            assert client.get("/v2/").status_code == status
