"""By which addresses a host is reached, and what stands in front of it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

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

PUBLIC = "https://forge.example"


def proxy(app: WSGIApplication, **headers: str) -> WSGIApplication:
    """Put a proxy in front that speaks https, and passes the host's name on."""

    def pass_on(environ: WSGIEnvironment, start: StartResponse) -> t.Iterable[bytes]:
        environ["wsgi.url_scheme"] = "http"
        environ["HTTP_X_FORWARDED_PROTO"] = "https"
        environ["REMOTE_ADDR"] = "127.0.0.1"
        environ.update(headers)
        return app(environ, start)

    return pass_on


def realm(app: WSGIApplication) -> str:
    """Return where docker is told to get a token."""
    response = Docker(app, url=PUBLIC).send("GET", "/v2/")
    return response.headers["WWW-Authenticate"].split('"')[1]


@pytest.mark.shape("SERVER_NAME")
def test_server_name(plain: Flask) -> None:
    """It is what the host's own links are made of, and docker comes by any name."""
    plain.config["SERVER_NAME"] = "www.forge.example"
    plain.config["PREFERRED_URL_SCHEME"] = "https"
    app = with_registry(plain)
    tell_story(app, "https://www.forge.example")
    tell_story(app, "http://127.0.0.1:5000")


@pytest.mark.shape("A subdomain for the registry")
def test_subdomain(tmp_path: Path, database_url: str) -> None:
    """It is an option of the blueprint's."""
    made = Flask("forge", instance_path=str(tmp_path), subdomain_matching=True)
    app = with_users(made, database_url)
    Administrator(app).start_afresh()
    app.config["SERVER_NAME"] = "forge.example"
    with_registry(app, subdomain="images")
    tell_story(app, "https://images.forge.example")
    client = app.test_client()
    assert client.get("/v2/", base_url=PUBLIC).status_code == 404


@pytest.mark.shape("Subdomains for other things")
def test_subdomains_of_the_host(tmp_path: Path, database_url: str) -> None:
    """The registry is at the root of them all."""
    made = Flask("forge", instance_path=str(tmp_path), subdomain_matching=True)
    app = with_users(made, database_url)
    Administrator(app).start_afresh()
    app.config["SERVER_NAME"] = "forge.example"
    app.add_url_rule("/", "help", lambda: "help", subdomain="help")
    tell_story(with_registry(app), PUBLIC)


@pytest.mark.shape("Host matching")
def test_host_matching(tmp_path: Path, database_url: str) -> None:
    """Every host's name has a registry, unless one is said."""
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
def test_script_name(plain: Flask) -> None:
    """Everything is below it, and the proxy maps /v2 to what is below it."""
    app = with_registry(plain)
    mounted = DispatcherMiddleware(Flask("nothing"), {"/forge": app})

    def proxied(environ: WSGIEnvironment, start: StartResponse) -> t.Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/v2/"):
            environ["PATH_INFO"] = "/forge" + environ["PATH_INFO"]
        return mounted(environ, start)

    tell_story(proxied, prefix="/forge")
    page = app.test_client().get("/images/", base_url="http://forge.example/forge")
    assert page.status_code == 200


@pytest.mark.shape("A prefix for all but the registry")
def test_mounted_below_a_prefix(plain: Flask) -> None:
    """Where several applications are mounted, /v2 is given to this one as it is."""
    app = with_registry(plain)
    mounted = DispatcherMiddleware(Flask("nothing"), {"/forge": app})

    def root(environ: WSGIEnvironment, start: StartResponse) -> t.Iterable[bytes]:
        is_registry = environ["PATH_INFO"].startswith("/v2/")
        return (app if is_registry else mounted)(environ, start)

    tell_story(root, prefix="/forge")


@pytest.mark.shape("A proxy, and ProxyFix")
def test_proxy_fix(plain: Flask) -> None:
    """The address in the challenge is the one that the client knows."""
    app = with_registry(plain)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)  # type: ignore[method-assign]
    proxied = proxy(
        app, HTTP_HOST="127.0.0.1:8000", HTTP_X_FORWARDED_HOST="forge.example"
    )
    tell_story(proxied, PUBLIC)
    assert realm(proxied) == f"{PUBLIC}/v2/token"


@pytest.mark.shape("A proxy, and no ProxyFix")
def test_no_proxy_fix(plain: Flask) -> None:
    """Docker is not told to send its password in the clear, when it came by https."""
    proxied = proxy(with_registry(plain))
    tell_story(proxied, PUBLIC)
    assert realm(proxied) == f"{PUBLIC}/v2/token"


@pytest.mark.shape("A proxy, and no ProxyFix")
def test_proxy_that_keeps_the_name(
    plain: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the proxy knows what the host is called: the log says what to add."""
    proxied = proxy(
        with_registry(plain),
        HTTP_HOST="127.0.0.1:8000",
        HTTP_X_FORWARDED_HOST="forge.example",
    )
    assert realm(proxied) == "https://127.0.0.1:8000/v2/token"
    assert "ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1" in caplog.text
    assert "OCI_EXTERNAL_URL" in caplog.text


@pytest.mark.shape("A proxy, and no ProxyFix")
def test_external_url(plain: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A key says it where nothing can be added."""
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
def test_url_prefix(plain: Flask) -> None:
    """Docker knows no other place than /v2, so there is no other."""
    with pytest.raises(ValueError, match="without url_prefix"):
        plain.register_blueprint(registry.blueprint, url_prefix="/registry")
