"""Copies through a proxy."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask import request
from flask import Response
from werkzeug.exceptions import HTTPException

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from flask_oci.transfer import Images
from flask_oci.transfer import TransferError
from flask_oci.transfer.remote import retry
from flask_oci.transfer.remote.connections import Connections
from tests.support.host import registry
from tests.support.other_registry import OtherRegistry
from tests.support.registry_client import RegistryClient
from tests.transfer.test_import_export import pulled

Serve = Callable[[Flask], int]
IMAGE = image(LAYER)
HOST = "registry.example:5000"


class Proxy:
    """A proxy that has the registry behind it.

    It gets whole URLs for plain HTTP, and CONNECT for TLS, which it refuses.
    """

    def __init__(self) -> None:
        self.registry = OtherRegistry()
        self.registry.push("app", "1.0", manifest=IMAGE, blobs=(CONFIG, LAYER))
        self.app = self.registry.app
        self.seen: list[tuple[str, str, str | None]] = []
        """The method, the host and the proxy's credentials of each request."""

        self.app.before_request(self._record)
        self.app.register_error_handler(HTTPException, lambda error: error)

    def _record(self) -> Response | None:
        self.seen.append(
            (
                request.method,
                request.host,
                request.headers.get("Proxy-Authorization"),
            )
        )
        return Response(status=403) if request.method == "CONNECT" else None


@pytest.fixture(name="images")
def _images(app: Flask) -> t.Iterator[Images]:
    """The Python API, within an application context."""
    with app.app_context():
        yield registry.images


@pytest.fixture(name="proxy")
def _proxy() -> Proxy:
    return Proxy()


@pytest.fixture(name="address")
def _address(
    proxy: Proxy, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """The address of the proxy. No environment variable names another one."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    return f"127.0.0.1:{serve(proxy.app)}"


@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
)
def test_copy_uses_the_proxy_of_the_environment(
    images: Images,
    alice: RegistryClient,
    proxy: Proxy,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """Its address may contain credentials for the proxy itself."""
    monkeypatch.setenv(variable, f"http://me:a%40b@{address}")
    images.copy(f"{HOST}/app:1.0", "alice/app", plain_http_hosts=[HOST])
    assert pulled(alice, "alice/app", "1.0") == IMAGE
    assert {sent[1:] for sent in proxy.seen} == {(HOST, basic("me", "a@b"))}


def test_copy_with_tls_asks_the_proxy_for_a_tunnel(
    images: Images, proxy: Proxy, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees neither the requests nor the password of the registry."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:sesame@{address}")
    reason = r"does not respond: Unable to connect to proxy: Tunnel [^'()]*\.$"
    with pytest.raises(TransferError, match=reason) as caught:
        images.copy("registry.example/app:1.0", "alice/app")
    assert "sesame" not in str(caught.value)
    assert {method for method, *_ in proxy.seen} == {"CONNECT"}
    assert {sent for *_, sent in proxy.seen} == {basic("me", "sesame")}


def test_copy_from_this_machine_uses_no_proxy(
    images: Images,
    alice: RegistryClient,
    serve: Serve,
    proxy: Proxy,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy would connect to itself."""
    other = OtherRegistry()
    other.push("app", "1.0", manifest=IMAGE, blobs=(CONFIG, LAYER))
    monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
    images.copy(f"127.0.0.1:{serve(other.app)}/app:1.0", "alice/app")
    assert pulled(alice, "alice/app", "1.0") == IMAGE
    assert not proxy.seen


@pytest.mark.parametrize(
    ("exceptions", "host", "uses_proxy"),
    [
        ("registry.example", "registry.example:5000", False),
        ("registry.example:5000", "registry.example:5000", False),
        ("registry.example:6000", "registry.example:5000", True),
        ("other.example, .example", "registry.example", False),
        ("*.example", "registry.example", False),
        ("EXAMPLE", "registry.example", False),
        ("ample", "registry.example", True),
        ("*", "registry.example", False),
        ("", "registry.example", True),
        (",", "registry.example", True),
        ("10.0.0.0/8", "10.1.2.3:5000", False),
        ("10.0.0.0/8", "11.1.2.3:5000", True),
        ("10.1.2.3", "10.1.2.3", False),
        ("fd00::/8", "[fd12::1]:5000", False),
        ("10.0.0.0/8", "registry.example", True),
    ],
)
def test_no_proxy_lists_exceptions(
    address: str,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    exceptions: str,
    host: str,
    uses_proxy: bool,
) -> None:
    """They are names, domains, addresses and networks."""
    monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
    monkeypatch.setenv("NO_PROXY", exceptions)
    assert Connections().uses_proxy(f"http://{host}/v2/") is uses_proxy


@pytest.mark.parametrize("value", ["socks5://sesame:1080", "http://", "http://a:b:c"])
def test_invalid_proxy_is_refused(
    images: Images, address: str, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """The error does not show its address, which may contain a password."""
    monkeypatch.setenv("HTTP_PROXY", value)
    with pytest.raises(TransferError, match="invalid proxy") as caught:
        images.copy(f"{HOST}/app:1.0", "alice/app", plain_http_hosts=[HOST])
    assert "sesame" not in str(caught.value)
