"""Addresses of a host: names, subdomains, prefixes and proxies."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from flask import Blueprint
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import registry

from .application import with_registry
from .application import with_users
from .docker import Docker
from .docker import tell_story

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication
    from _typeshed.wsgi import WSGIEnvironment

pytestmark = pytest.mark.sqlite_only

PUBLIC = "https://forge.example"


def proxy(app: WSGIApplication, **headers: str) -> WSGIApplication:
    """Put a proxy in front that serves https and passes the host's name on."""

    def pass_on(environ: WSGIEnvironment, start: StartResponse) -> t.Iterable[bytes]:
        environ["wsgi.url_scheme"] = "http"
        environ["HTTP_X_FORWARDED_PROTO"] = "https"
        environ["REMOTE_ADDR"] = "127.0.0.1"
        environ.update(headers)
        return app(environ, start)

    return pass_on


def realm(app: WSGIApplication) -> str:
    """Return the token endpoint that the challenge names."""
    response = Docker(app, url=PUBLIC).send("GET", "/v2/")
    return response.headers["WWW-Authenticate"].split('"')[1]


@pytest.mark.shape("SERVER_NAME")
def test_server_name_set_does_not_limit_the_registry(plain: Flask) -> None:
    """The host's links use SERVER_NAME. The registry accepts every host name."""
    plain.config["SERVER_NAME"] = "www.forge.example"
    plain.config["PREFERRED_URL_SCHEME"] = "https"
    app = with_registry(plain)
    tell_story(app, "https://www.forge.example")
    tell_story(app, "http://127.0.0.1:5000")


def with_subdomains(folder: Path, database_url: str) -> Flask:
    """Create an application with users, whose subdomains have their own routes."""
    made = Flask("forge", instance_path=str(folder), subdomain_matching=True)
    app = with_users(made, database_url)
    Administrator(app).start_afresh()
    app.config["SERVER_NAME"] = "forge.example"
    return app


@pytest.mark.shape("A subdomain for the registry")
def test_registry_on_a_subdomain_answers_only_there(
    tmp_path: Path, database_url: str
) -> None:
    """The subdomain is an option of the blueprint."""
    app = with_subdomains(tmp_path, database_url)
    with_registry(app, subdomain="images")
    tell_story(app, "https://images.forge.example")
    client = app.test_client()
    assert client.get("/v2/", base_url=PUBLIC).status_code == 404


@pytest.mark.shape("Subdomains for other things")
def test_host_with_subdomains_serves_registry_at_domain(
    tmp_path: Path, database_url: str
) -> None:
    """The registry is at the domain itself."""
    app = with_subdomains(tmp_path, database_url)
    app.add_url_rule("/", "help", lambda: "help", subdomain="help")
    tell_story(with_registry(app), PUBLIC)


@pytest.mark.shape("Host matching")
def test_host_matching_without_host_serves_registry_on_every_name(
    tmp_path: Path, database_url: str
) -> None:
    """The registry answers for every host name, unless one is set."""
    made = Flask(
        "forge",
        instance_path=str(tmp_path),
        host_matching=True,
        static_host="forge.example",
    )
    app = with_users(made, database_url)
    Administrator(app).start_afresh()
    app.add_url_rule("/", "help", lambda: "help", host="help.example")
    tell_story(with_registry(app), PUBLIC)
    tell_story(app, "http://127.0.0.1:5000")
    assert app.test_client().get("/images/", base_url=PUBLIC).status_code == 200


@pytest.mark.shape("A prefix that the server knows")
def test_script_name_set_with_mapped_v2_works(plain: Flask) -> None:
    """The proxy maps /v2 to the path below the prefix."""
    app = with_registry(plain)
    mounted = DispatcherMiddleware(Flask("nothing"), {"/forge": app})

    def proxied(environ: WSGIEnvironment, start: StartResponse) -> t.Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/v2/"):
            environ["PATH_INFO"] = "/forge" + environ["PATH_INFO"]
        return mounted(environ, start)

    tell_story(proxied, prefix="/forge")
    page = app.test_client().get("/images/", base_url="http://forge.example/forge")
    assert page.status_code == 200


@pytest.mark.parametrize("root", [PUBLIC, f"{PUBLIC}/forge"])
def test_external_url_with_and_without_the_prefix_of_the_server_works(
    plain: Flask, root: str
) -> None:
    """The address of the application's root includes the prefix, and so do the paths
    that Flask builds."""
    plain.config["OCI_EXTERNAL_URL"] = root
    mounted = DispatcherMiddleware(Flask("nothing"), {"/forge": with_registry(plain)})

    def proxied(environ: WSGIEnvironment, start: StartResponse) -> t.Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/v2/"):
            environ["PATH_INFO"] = "/forge" + environ["PATH_INFO"]
        return mounted(environ, start)

    assert realm(proxied) == f"{PUBLIC}/forge/v2/token"
    tell_story(proxied, PUBLIC, prefix="/forge")


@pytest.mark.shape("A prefix for all but the registry")
def test_application_below_a_prefix_with_v2_at_root_works(plain: Flask) -> None:
    """The front passes /v2 unchanged to the application that is mounted elsewhere."""
    app = with_registry(plain)
    mounted = DispatcherMiddleware(Flask("nothing"), {"/forge": app})

    def root(environ: WSGIEnvironment, start: StartResponse) -> t.Iterable[bytes]:
        is_registry = environ["PATH_INFO"].startswith("/v2/")
        return (app if is_registry else mounted)(environ, start)

    tell_story(root, prefix="/forge")


@pytest.mark.shape("A proxy, and ProxyFix")
def test_challenge_behind_proxy_with_proxy_fix_has_public_address(plain: Flask) -> None:
    """The challenge has the address that the client uses."""
    app = with_registry(plain)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)  # type: ignore[method-assign]
    proxied = proxy(
        app, HTTP_HOST="127.0.0.1:8000", HTTP_X_FORWARDED_HOST="forge.example"
    )
    tell_story(proxied, PUBLIC)
    assert realm(proxied) == f"{PUBLIC}/v2/token"


@pytest.mark.shape("A proxy, and no ProxyFix")
def test_challenge_behind_proxy_without_proxy_fix_keeps_https(plain: Flask) -> None:
    """After a request by https, the challenge does not name an http address."""
    proxied = proxy(with_registry(plain))
    tell_story(proxied, PUBLIC)
    assert realm(proxied) == f"{PUBLIC}/v2/token"


@pytest.mark.shape("A proxy, and no ProxyFix")
def test_proxy_that_hides_the_host_name_is_logged(
    plain: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the proxy knows the host's name. The log names the line to add."""
    proxied = proxy(
        with_registry(plain),
        HTTP_HOST="127.0.0.1:8000",
        HTTP_X_FORWARDED_HOST="forge.example",
    )
    assert realm(proxied) == "https://127.0.0.1:8000/v2/token"
    assert "ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1" in caplog.text
    assert "OCI_EXTERNAL_URL" in caplog.text


@pytest.mark.shape("A proxy, and no ProxyFix")
def test_external_url_replaces_proxy_fix(
    plain: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The key replaces ProxyFix in a host that cannot add it."""
    plain.config["OCI_EXTERNAL_URL"] = PUBLIC
    proxied = proxy(
        with_registry(plain),
        HTTP_HOST="127.0.0.1:8000",
        HTTP_X_FORWARDED_HOST="forge.example",
    )
    assert realm(proxied) == f"{PUBLIC}/v2/token"
    tell_story(proxied, PUBLIC)
    assert not caplog.text


@pytest.mark.shape("A prefix of the registry's own")
@pytest.mark.parametrize("prefix", ["/registry", "/registry/v2", "/v2/v2", "/"])
def test_url_prefix_of_registry_blueprint_is_refused(plain: Flask, prefix: str) -> None:
    """Clients know no other path than /v2."""
    with pytest.raises(ValueError, match="without url_prefix"):
        plain.register_blueprint(registry.blueprint, url_prefix=prefix)


@pytest.mark.parametrize("prefix", ["/site", "/v2"])
def test_parent_blueprint_with_prefix_is_refused(plain: Flask, prefix: str) -> None:
    """The prefix of the parent comes before that of the registry."""
    parent = Blueprint("site", __name__, url_prefix=prefix)
    parent.register_blueprint(registry.blueprint)
    with pytest.raises(ValueError, match="not in a blueprint"):
        plain.register_blueprint(parent)


def pages_of(app: Flask, base_url: str, root: str) -> dict[str, str]:
    """Return the texts of all pages that alice sees, by address.

    :param root: the address of the list of repositories.
    """
    client = app.test_client()
    with app.app_context():
        key = user_named("alice").id
    with client.session_transaction(base_url=base_url) as session:
        session["_user_id"] = str(key)
        session["_fresh"] = True
    found: dict[str, str] = {}
    left = [root]
    while left:
        address = left.pop()
        response = client.get(address, base_url=base_url)
        assert response.status_code == 200, (address, response.text)
        found[address] = response.text
        response.close()
        linked = re.findall(r'href="([^"#?]*)', response.text)
        left += {a for a in linked if a.startswith(root)} - {*found, *left}
    return found


@pytest.mark.shape("Blueprints that are renamed or nested")
@pytest.mark.parametrize("nested", [False, True], ids=["renamed", "nested"])
def test_renamed_and_nested_blueprints_work(plain: Flask, nested: bool) -> None:
    """Clients push and pull, every page links to the others, and forms return."""
    parts = (registry.blueprint, registry.api_blueprint)
    if nested:
        parent = Blueprint("site", __name__)
        for part in parts:
            parent.register_blueprint(part)
        parent.register_blueprint(registry.web_blueprint, url_prefix="/images")
        plain.register_blueprint(parent)
    else:
        plain.register_blueprint(registry.blueprint, name="protocol")
        plain.register_blueprint(registry.api_blueprint, name="rest")
        plain.register_blueprint(
            registry.web_blueprint, url_prefix="/images", name="pages"
        )
    tell_story(plain)
    Docker(plain, "alice").push("alice/app", "v1")
    pages = pages_of(plain, "http://localhost", "/images/")
    assert "/images/-/tokens" in pages
    assert any(address.endswith("/-/settings") for address in pages)
    assert any('aria-current="page"' in text for text in pages.values())


@pytest.mark.shape("A subdomain for the registry")
def test_pages_name_the_subdomain_of_the_registry(
    tmp_path: Path, database_url: str
) -> None:
    """The pages are at the domain itself, the registry at a subdomain."""
    app = with_subdomains(tmp_path, database_url)
    app.register_blueprint(registry.blueprint, subdomain="images")
    app.register_blueprint(registry.api_blueprint, subdomain="images")
    app.register_blueprint(registry.web_blueprint, url_prefix="/pages")
    url = "https://images.forge.example"
    tell_story(app, url)
    Docker(app, "alice", url=url).push("alice/app", "v1")
    pages = pages_of(app, PUBLIC, "/pages/")
    assert "docker pull images.forge.example/alice/app" in pages["/pages/alice/app"]


@pytest.mark.shape("Host matching")
def test_pages_name_the_host_of_the_registry(tmp_path: Path, database_url: str) -> None:
    """The pages have one host name, and the registry another."""
    made = Flask(
        "forge",
        instance_path=str(tmp_path),
        host_matching=True,
        static_host="x.test",
    )
    app = with_users(made, database_url)
    Administrator(app).start_afresh()
    app.register_blueprint(registry.blueprint, host="images.example")
    app.register_blueprint(registry.api_blueprint, host="images.example")
    app.register_blueprint(
        registry.web_blueprint, url_prefix="/pages", host="forge.example"
    )
    tell_story(app, "https://images.example")
    Docker(app, "alice", url="https://images.example").push("alice/app", "v1")
    pages = pages_of(app, PUBLIC, "/pages/")
    assert "docker pull images.example/alice/app" in pages["/pages/alice/app"]


def test_check_of_renamed_blueprint_finds_registry(plain: Flask) -> None:
    """The command sends its requests to the registry's own address."""
    plain.register_blueprint(registry.blueprint, name="protocol")
    result = plain.test_cli_runner().invoke(args=["oci", "check", "--user", "alice"])
    assert "not-at-root" not in result.output
    assert "login-" not in result.output


@pytest.mark.parametrize("nested", [False, True], ids=["renamed", "nested"])
def test_check_renders_pages_of_renamed_blueprint(
    plain: Flask, nested: bool, tmp_path: Path
) -> None:
    """A base template that fails is found, whatever the name of the blueprint is."""
    (tmp_path / "site.html").write_text("{{ menu.first }}")
    t.cast(t.Any, plain).jinja_loader.searchpath.append(str(tmp_path))
    plain.config["OCI_WEB_BASE_TEMPLATE"] = "site.html"
    plain.register_blueprint(registry.blueprint)
    target: Blueprint | Flask = Blueprint("site", __name__) if nested else plain
    target.register_blueprint(
        registry.web_blueprint, url_prefix="/images", name="pages"
    )
    if isinstance(target, Blueprint):
        plain.register_blueprint(target)
    result = plain.test_cli_runner().invoke(args=["oci", "check"])
    assert "'menu' is undefined" in result.output
