"""The pages in the look of the application: titles, variables and a renderer."""

from __future__ import annotations

import typing as t
from functools import partial
from pathlib import Path

import flask
import pytest
from flask import Flask
from flask import make_response
from flask import render_template

from flask_oci import Registry
from tests.hosts.application import database
from tests.hosts.application import StandardUser
from tests.support.check_world import check
from tests.support.check_world import SECRET
from tests.support.doc_blocks import BLOCKS
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Visitor

pytestmark = pytest.mark.sqlite_only

MakeApp = t.Callable[..., Flask]
HELLO = "/images/alice/hello"

#: The address of each page, with its title.
TITLES = {
    "/images/": "Images",
    HELLO: "alice/hello",
    f"{HELLO}/-/image/1.0": "alice/hello:1.0",
    f"{HELLO}/-/settings": "Settings of alice/hello",
    f"{HELLO}/-/history": "History of alice/hello",
    "/images/-/tokens": "Access tokens",
    "/images/alice/nothing": "Not found",
}


@pytest.fixture(autouse=True)
def _restored_hook() -> t.Iterator[None]:
    """Remove the hook of the shared registry after each test."""
    yield
    registry._hooks.page_renderer = None


@pytest.fixture(name="based")
def _based(make_app: MakeApp, tmp_path: Path) -> t.Callable[..., Flask]:
    """Return a function that creates an application with a base template."""

    def create(text: str, **config: object) -> Flask:
        folder = tmp_path / "templates"
        folder.mkdir(exist_ok=True)
        (folder / "site.html").write_text(text)
        app = make_app(
            SECRET_KEY=SECRET,
            TESTING=False,
            OCI_WEB_BASE_TEMPLATE="site.html",
            **config,
        )
        t.cast(t.Any, app).jinja_loader.searchpath.append(str(folder))
        RegistryClient.of(app, "alice").push_image("alice/hello", "1.0")
        return app

    return create


BODY = "<main>{% block content %}{% endblock %}</main>"


@pytest.mark.parametrize("address", TITLES)
def test_title_is_a_variable_of_the_base_template(
    based: t.Callable[..., Flask], address: str
) -> None:
    """A base template without the block shows the title of each page."""
    app = based("<title>{% if title %}{{ title }} - {% endif %}Blog</title>" + BODY)
    page = Visitor(app, "alice").get(address)
    assert page.text.startswith(f"{TITLES[address]} - Blog")
    assert page.html.count("<title>") == 1


def test_title_as_block_is_the_same(based: t.Callable[..., Flask]) -> None:
    """Applications with the block keep it."""
    app = based("<title>{% block title %}{{ title }}{% endblock %} Blog</title>" + BODY)
    for address, title in TITLES.items():
        assert Visitor(app, "alice").get(address).text.startswith(f"{title} Blog")


def test_title_is_escaped(based: t.Callable[..., Flask]) -> None:
    """A title contains text of visitors."""
    app = based("<title>{{ title }}</title>" + BODY)
    page = Visitor(app, "alice").get("/images/", under="a<b>&c")
    assert "<title>a&lt;b&gt;&amp;c</title>" in page.html


def test_page_renderer_renders_every_page(based: t.Callable[..., Flask]) -> None:
    """Each page, and each error, has the variables that the function adds."""
    app = based("<p>{{ menu.first }}</p>" + BODY)
    rendered: list[str] = []

    @registry.page_renderer
    def render(template: str, **context: t.Any) -> str:
        rendered.append(template)
        return render_template(template, menu={"first": "Home"}, **context)

    visitor = Visitor(app, "alice")
    for address in TITLES:
        assert visitor.get(address).text.startswith("Home")
    assert visitor.send("/images/-/tokens").text.startswith("Home")
    assert visitor.send(f"{HELLO}/-/settings/delete").text.startswith("Home")
    assert visitor.client.post("/images/-/tokens").text.startswith("<p>Home")
    assert {"oci/error.html", "oci/tokens.html", "oci/confirm.html"} <= set(rendered)


def test_page_renderer_may_return_a_response(based: t.Callable[..., Flask]) -> None:
    """The registry adds its status and its headers."""
    app = based(BODY)

    @registry.page_renderer
    def render(template: str, **context: t.Any) -> t.Any:
        response = make_response(render_template(template, **context))
        response.headers["X-Theme"] = "dark"
        return response if "tokens" in template else (response, 203)

    visitor = Visitor(app, "alice")
    tokens = visitor.get("/images/-/tokens")
    assert (tokens.headers["X-Theme"], tokens.headers["Cache-Control"]) == (
        "dark",
        "no-store",
    )
    assert visitor.status("/images/") == 203
    assert visitor.status("/images/alice/nothing") == 404


def test_pages_leave_no_render_template_of_flask(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the function, the registry calls no other renderer."""
    registry.page_renderer(lambda template, **context: template)

    def fail(*args: object, **kwargs: object) -> t.NoReturn:
        raise AssertionError

    monkeypatch.setattr(flask.templating, "_render", fail)
    RegistryClient.of(app, "alice").push_image("alice/hello", "1.0")
    for address in TITLES:
        assert Visitor(app, "alice").client.get(address).text.startswith("oci/")


def test_variables_of_the_application_stay_its_own(
    based: t.Callable[..., Flask],
) -> None:
    """A base template calls the functions of its application, of whatever names."""
    names = ("_", "gettext", "ngettext", "size", "ago", "short", "cut", "here")
    calls = "".join(f"<i>{{{{ {name}('text') }}}}</i>" for name in names)
    app = based("{% block title %}{% endblock %}" + calls + BODY)
    own = {name: partial("{} of the host: {}".format, name) for name in names}
    app.template_context_processors[None].append(lambda: own)
    html = Visitor(app, "alice").get(HELLO).html
    for name in names:
        assert f"<i>{name} of the host: text</i>" in html


# The check


def test_check_of_pages_that_render_finds_nothing(
    based: t.Callable[..., Flask],
) -> None:
    """Signed out and signed in."""
    app = based("{{ current_user.is_authenticated }}" + BODY)
    assert not check(app).codes
    assert not check(app, "--user", "alice").codes


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{{ menu.first }}", "UndefinedError: 'menu' is undefined"),
        ("{{ url_for('nowhere') }}", "BuildError"),
        ("{% extends 'nothing.html' %}", "TemplateNotFound: nothing.html"),
    ],
)
def test_check_with_base_template_that_fails_finds_it(
    based: t.Callable[..., Flask], text: str, cause: str
) -> None:
    """It names the page, the visitor and the exception."""
    found = check(based(text + BODY))
    assert found.codes == {"pages-fail"}
    detail = found.findings["pages-fail"]["detail"]
    assert cause in detail
    assert detail.startswith("/images/, for an anonymous visitor: ")


def test_check_with_page_that_fails_for_a_user_finds_it(
    based: t.Callable[..., Flask],
) -> None:
    """The base template treats users in another way than anonymous visitors."""
    app = based(
        "{% if current_user.is_authenticated %}{{ current_user.avatar.url }}{% endif %}"
        + BODY
    )
    assert not check(app).codes
    found = check(app, "--user", "alice")
    assert found.codes == {"pages-fail"}
    assert (
        "for a signed-in user: UndefinedError"
        in (found.findings["pages-fail"]["detail"])
    )


def test_check_in_testing_mode_finds_a_page_that_fails(
    based: t.Callable[..., Flask],
) -> None:
    """In this mode, Flask raises the exception."""
    app = based("{{ menu.first }}" + BODY)
    app.testing = True
    found = check(app)
    assert found.codes == {"pages-fail", "testing-mode"}
    assert "'menu' is undefined" in found.findings["pages-fail"]["detail"]


def test_check_with_base_template_without_content_finds_it(
    based: t.Callable[..., Flask],
) -> None:
    """The page is answered 200, and shows nothing of the registry."""
    assert check(based("<main>{% block body %}{% endblock %}</main>")).codes == {
        "pages-empty"
    }


def test_check_with_unknown_login_view_finds_it(
    based: t.Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages answer 403 instead of the login page."""
    app = based(BODY)
    monkeypatch.setattr(t.cast(t.Any, app).login_manager, "login_view", "auth.nowhere")
    found = check(app)
    assert found.codes == {"login-view-unknown"}
    assert "auth.nowhere" in found.findings["login-view-unknown"]["detail"]


def test_check_with_login_url_needs_no_login_view(
    based: t.Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = based(BODY, OCI_LOGIN_URL="/login")
    monkeypatch.setattr(t.cast(t.Any, app).login_manager, "login_view", "auth.nowhere")
    assert not check(app).codes


def test_check_without_flask_login_says_what_it_skips(
    based: t.Callable[..., Flask],
) -> None:
    """The check cannot sign in on the pages of such an application."""
    app = based(BODY)
    before = registry._hooks.current_user_loader
    registry.current_user_loader(lambda: None)
    try:
        found = check(app, "--user", "alice")
    finally:
        registry._hooks.current_user_loader = before
    assert not found.codes
    assert any("without Flask-Login" in said for said in found.skipped)


# The documentation


def documented(text: str) -> str:
    """Return the code of the page about theming that contains a text."""
    (code,) = (b.code for b in BLOCKS if b.page == "docs/pages.rst" and text in b.code)
    return code


@pytest.mark.parametrize("text", ["context_processor", "page_renderer"])
def test_documented_function_adds_variables(tmp_path: Path, text: str) -> None:
    """The base template of a new application shows the variable that it needs."""
    db: t.Any = database()

    class User(StandardUser, db.Model):  # type: ignore[misc]
        pass

    app = Flask("forge", instance_path=str(tmp_path), template_folder=str(tmp_path))
    app.config.from_mapping(
        SECRET_KEY=SECRET,
        SQLALCHEMY_DATABASE_URI="sqlite://",
        OCI_WEB_BASE_TEMPLATE="site.html",
    )
    (tmp_path / "site.html").write_text("<p>{{ menu|join(', ') }}</p>" + BODY)
    db.init_app(app)
    own = Registry(db, User)
    names = {"registry": own, "render_template": render_template}
    exec(documented(text), names)
    app.register_blueprint(own.blueprint)
    app.register_blueprint(own.web_blueprint, url_prefix="/images")
    with app.app_context():
        db.create_all()
    assert "<p>Home, Projects</p>" in app.test_client().get("/images/").text
    with app.app_context():
        db.engine.dispose()
