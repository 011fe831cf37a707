"""The login page of a host, to which the registry's pages send visitors."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import abort
from flask import Flask
from flask import redirect
from flask.typing import ResponseReturnValue
from flask_login import login_user
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_oci.config import ConfigError

from .application import database
from .application import Host
from .application import StandardUser
from .docker import tell_story
from .security import secure
from .security import security_host

MakeHost = t.Callable[..., Host]
TOKENS = "/images/-/tokens"
STORAGE = "/images/-/storage"

#: A page that a visitor may not see: the repository does not exist.
MISSING = "/images/alice/secret"


def with_pages(host: Host) -> Host:
    """Add the pages, as in production: an error is answered, and not raised."""
    host.app.register_blueprint(host.registry.web_blueprint, url_prefix="/images")
    return host


@pytest.fixture(name="host")
def _host(make_host: MakeHost) -> Host:
    """A host with Flask-Login, whose login view a test sets."""
    db = database()

    class User(StandardUser, db.Model):
        pass

    return with_pages(make_host(db, User))


@pytest.fixture(name="without")
def _without(make_host: MakeHost) -> Host:
    """A host without Flask-Login."""
    db = database()

    class User(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str]

    return with_pages(make_host(db, User, login=False, OCI_LOGIN_URL="/enter?from=oci"))


def manager(host: Host) -> t.Any:
    return t.cast(t.Any, host.app).login_manager


def redirects_to(app: Flask, path: str = TOKENS) -> tuple[str, str]:
    """Return the address of the login page without ``next``, and ``next``."""
    response = app.test_client().get(path)
    assert response.status_code == 302, response.data
    return split_next(response.location)


def split_next(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    (following,) = parse_qs(parts.query)["next"]
    return parts._replace(query="").geturl(), following


def link_on(app: Flask, path: str = MISSING) -> str | None:
    """Return the address of the link on a 404 page, or None."""
    response = app.test_client().get(path)
    assert response.status_code == 404
    _, found, rest = response.text.partition('<a class="oci-button" href="')
    return rest.partition('"')[0].replace("&amp;", "&") if found else None


@pytest.mark.shape("A login_view that is a path or a URL")
@pytest.mark.parametrize("path", [TOKENS, STORAGE])
def test_login_view_that_is_a_path_gets_visitors(host: Host, path: str) -> None:
    """Flask-Login accepts an address instead of an endpoint."""
    manager(host).login_view = "/enter"
    tell_story(host.app)
    assert redirects_to(host.app, path) == ("/enter", path)
    link = link_on(host.app)
    assert link is not None
    assert split_next(link) == ("/enter", MISSING)


@pytest.mark.shape("A login_view that is a path or a URL")
def test_login_view_on_another_site_gets_visitors(host: Host) -> None:
    """The other site gets an absolute address to return to."""
    manager(host).login_view = "https://login.example/enter"
    expected = ("https://login.example/enter", f"http://localhost{TOKENS}")
    assert redirects_to(host.app) == expected
    link = link_on(host.app)
    assert link is not None
    assert split_next(link) == (expected[0], f"http://localhost{MISSING}")


@pytest.mark.shape("A login_view for each blueprint")
def test_login_view_of_the_blueprint_gets_visitors(host: Host) -> None:
    """It precedes the login view of the application."""
    manager(host).login_view = "/elsewhere"
    manager(host).blueprint_login_views = {"oci_web": "/enter"}
    assert redirects_to(host.app) == ("/enter", TOKENS)
    assert "/enter?" in str(link_on(host.app))


@pytest.mark.shape("A login_view that does not exist")
@pytest.mark.parametrize("view", ["nowhere", ".nowhere", "with_argument"])
def test_login_view_that_does_not_exist_is_no_server_error(
    host: Host, view: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The page is 403 without a link, and the log names the setting."""
    host.app.add_url_rule("/enter/<way>", "with_argument", lambda way: way)
    manager(host).login_view = view
    tell_story(host.app)
    assert host.app.test_client().get(TOKENS).status_code == 403
    assert link_on(host.app) is None
    assert host.app.test_client().get("/images/").status_code == 200
    assert "OCI_LOGIN_URL" in caplog.text


def test_missing_login_view_is_403(host: Host) -> None:
    """Flask-Login has no page to send visitors to."""
    assert host.app.test_client().get(TOKENS).status_code == 403
    assert link_on(host.app) is None


def test_missing_login_view_calls_401_handler_of_host(host: Host) -> None:
    """Flask-Login aborts with 401, for which the host may have a handler."""

    @host.app.errorhandler(401)
    def sign_in(error: Exception) -> ResponseReturnValue:
        return redirect("/enter")

    response = host.app.test_client().get(TOKENS)
    assert (response.status_code, response.location) == (302, "/enter")


def page() -> ResponseReturnValue:
    return "<h1>Sign in here</h1>", 401, {"X-Host": "yes"}


def aborting() -> ResponseReturnValue:
    abort(418)


def going() -> ResponseReturnValue:
    return redirect("/enter")


@pytest.mark.shape("An unauthorized_handler")
@pytest.mark.parametrize(
    ("handler", "status"), [(page, 401), (aborting, 418), (going, 302)]
)
def test_unauthorized_handler_of_host_answers_visitors(
    host: Host, handler: t.Callable[[], ResponseReturnValue], status: int
) -> None:
    """Its response reaches the visitor, with the host's own styles."""
    manager(host).unauthorized_handler(handler)
    manager(host).login_view = "/unused"
    tell_story(host.app)
    for path in (TOKENS, STORAGE):
        response = host.app.test_client().get(path)
        assert response.status_code == status
        if handler is page:
            assert response.text == "<h1>Sign in here</h1>"
            assert response.headers["X-Host"] == "yes"
            assert "Content-Security-Policy" not in response.headers


def test_pages_for_signed_in_user_need_no_login_view(host: Host) -> None:
    """A wrong login view does not affect users who are signed in."""
    manager(host).login_view = "nowhere"

    @host.app.post("/enter")
    def enter() -> str:
        login_user(host.load("1"))
        return ""

    client = host.app.test_client()
    client.post("/enter")
    for path in ("/images/", TOKENS, STORAGE):
        response = client.get(path)
        assert response.status_code == 200
        assert "Content-Security-Policy" in response.headers


@pytest.mark.shape("A login page without Flask-Login")
def test_login_url_gets_visitors_without_flask_login(without: Host) -> None:
    """The address keeps its own parameters."""
    tell_story(without.app)
    for path in (TOKENS, STORAGE):
        response = without.app.test_client().get(path)
        assert response.status_code == 302
        assert parse_qs(urlsplit(response.location).query) == {
            "from": ["oci"],
            "next": [path],
        }
    link = link_on(without.app)
    assert link is not None
    assert split_next(link) == ("/enter", MISSING)


def test_login_url_precedes_flask_login(make_host: MakeHost) -> None:
    """The setting is for the pages, and also replaces an unauthorized_handler."""
    db = database()

    class User(StandardUser, db.Model):
        pass

    host = with_pages(make_host(db, User, OCI_LOGIN_URL="https://login.example/"))
    manager(host).login_view = "nowhere"
    manager(host).unauthorized_handler(page)
    assert redirects_to(host.app)[0] == "https://login.example/"
    assert str(link_on(host.app)).startswith("https://login.example/?next=")


@pytest.mark.parametrize(
    "value",
    [
        1,
        "",
        "login",
        "//evil.example/login",
        "/\\evil.example",
        "/login\r\nX: y",
        "javascript:alert(1)",
        "ftp://login.example",
        "https:///login",
    ],
)
def test_login_url_that_is_no_address_is_refused(
    make_host: MakeHost, value: object
) -> None:
    """The error at the start names the setting."""
    db = database()

    class User(StandardUser, db.Model):
        pass

    with pytest.raises(ConfigError, match="OCI_LOGIN_URL"):
        make_host(db, User, OCI_LOGIN_URL=value)


def test_next_is_an_address_of_the_own_site(without: Host) -> None:
    """No path of a page becomes the name of another site."""
    for path in ("/images//evil.example", f"{MISSING}/-/image/%0d%0aX:%20y"):
        with without.app.test_client() as client:
            response = client.get(path, follow_redirects=True)
        _, found, rest = response.text.partition('<a class="oci-button" href="')
        assert found
        following = split_next(rest.partition('"')[0].replace("&amp;", "&"))[1]
        assert urlsplit(following).netloc == ""
        assert following.startswith("/images/")
        assert following.isprintable()


def test_next_has_the_prefix_of_the_application(without: Host) -> None:
    """The address is the one that the browser used, with its query."""
    site = Client(DispatcherMiddleware(Flask("site"), {"/forge": without.app}))
    response = site.get(f"/forge{TOKENS}?behind=a%26b")
    assert split_next(response.location)[1] == f"/forge{TOKENS}?behind=a%26b"
    response = site.get(f"/forge{MISSING}")
    assert "next=%2Fforge%2Fimages%2Falice%2Fsecret" in response.text


def test_next_of_a_form_is_the_list_of_repositories(without: Host) -> None:
    """A browser cannot repeat a form after the login."""
    response = without.app.test_client().post(TOKENS, data={"name": "x"})
    assert response.status_code == 400
    assert "next=%2Fimages%2F" in response.text
    assert "tokens" not in response.text.partition("next=")[2].partition('"')[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:flask_security")
def test_flask_security_redirects_visitors(make_host: MakeHost) -> None:
    """It has an unauthorized_handler and no login_view."""
    made = security_host(make_host)
    host = with_pages(made.host)
    secure(made)
    where, following = redirects_to(host.app)
    assert (urlsplit(where).path, following) == ("/login", TOKENS)
