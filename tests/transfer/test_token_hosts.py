"""The hosts that copies send credentials to."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask import redirect
from flask import request
from flask import Response

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.transfer import Images
from flask_oci.transfer import TransferError
from flask_oci.transfer.remote.origin import may_receive_credentials
from flask_oci.transfer.remote.origin import UrlOrigin
from tests.support.command_line import Terminal
from tests.support.host import registry
from tests.support.other_registry import LOGIN
from tests.support.other_registry import OtherRegistry
from tests.support.registry_client import RegistryClient
from tests.transfer.test_import_export import pulled

Serve = Callable[[Flask], int]
IMAGE = image(LAYER)


class TokenService:
    """A token service that issues one token, and records the credentials that it
    gets."""

    def __init__(self) -> None:
        self.app = Flask("tokens")
        self.seen: list[str | None] = []
        self.leads_to: str | None = None
        self.app.add_url_rule("/token", "token", self._issue)

    def _issue(self) -> t.Any:
        self.seen.append(request.headers.get("Authorization"))
        if self.leads_to:
            return redirect(self.leads_to, 307)
        return {"token": "granted"}


@pytest.fixture(name="images")
def _images(app: Flask) -> t.Iterator[Images]:
    """The Python API, within an application context."""
    with app.app_context():
        yield registry.images


@pytest.fixture(name="elsewhere")
def _elsewhere() -> TokenService:
    """A token service at another port than the registry."""
    return TokenService()


@pytest.fixture(name="realm")
def _realm(elsewhere: TokenService, serve: Serve) -> str:
    """Its address."""
    return f"http://127.0.0.1:{serve(elsewhere.app)}/token"


@pytest.fixture(name="host")
def _host(realm: str, serve: Serve) -> str:
    """A registry that names that token service."""
    other = OtherRegistry()
    other.push("app", "1.0", manifest=IMAGE, blobs=(CONFIG, LAYER))

    @other.app.before_request
    def _challenge() -> Response | None:
        if request.headers.get("Authorization") == "Bearer granted":
            return None
        return Response(
            status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'}
        )

    return f"127.0.0.1:{serve(other.app)}"


@pytest.fixture(autouse=True)
def _docker_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """The configuration of a user who is logged in at the registry."""
    entry = {"auth": LOGIN.removeprefix("Basic ")}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {host: entry}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def test_password_is_not_sent_to_a_token_service_on_another_host(
    images: Images, host: str, realm: str, elsewhere: TokenService
) -> None:
    """The error names the service and the option (CVE-2026-33540)."""
    with pytest.raises(TransferError) as caught:
        images.copy(f"{host}/app:1.0", "alice/app")
    service = realm.removeprefix("http://").removesuffix("/token")
    assert realm in str(caught.value)
    assert f"'--token-host {service}'" in str(caught.value)
    with pytest.raises(TransferError, match="--token-host"):
        images.mirror(f"{host}/app", "alice/app")
    assert not elsewhere.seen


def test_refresh_token_is_not_sent_to_a_token_service_on_another_host(
    images: Images, host: str, elsewhere: TokenService, tmp_path: Path
) -> None:
    """It is a secret like a password."""
    entry = {"identitytoken": "secret"}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {host: entry}}))
    with pytest.raises(TransferError, match="on another host"):
        images.copy(f"{host}/app:1.0", "alice/app")
    assert not elsewhere.seen


def test_token_service_on_another_host_serves_anonymous_copies(
    images: Images,
    alice: RegistryClient,
    host: str,
    elsewhere: TokenService,
    tmp_path: Path,
) -> None:
    """Without a login there is no secret to protect."""
    (tmp_path / "config.json").unlink()
    images.copy(f"{host}/app:1.0", "alice/app")
    assert pulled(alice, "alice/app", "1.0") == IMAGE
    assert set(elsewhere.seen) == {None}


def test_token_host_option_allows_a_token_service(
    host: str, realm: str, elsewhere: TokenService, tmp_path: Path
) -> None:
    """The commands copy and mirror have the option."""
    service = realm.removeprefix("http://").removesuffix("/token")
    terminal = Terminal(tmp_path / "forge")
    failed = terminal.run("copy", f"{host}/app:1.0", "alice/app", status=1)
    assert f"--token-host {service}" in failed.stderr.decode()
    options = ("--token-host", service)
    terminal.run("copy", f"{host}/app:1.0", "alice/app", *options)
    terminal.run("mirror", f"{host}/app", "alice/new", *options)
    assert pulled(terminal.alice, "alice/app", "1.0") == IMAGE
    assert pulled(terminal.alice, "alice/new", "1.0") == IMAGE
    assert set(elsewhere.seen) == {LOGIN}
    terminal.close()


def test_redirect_of_a_token_service_is_not_followed(
    images: Images, host: str, realm: str, elsewhere: TokenService, serve: Serve
) -> None:
    """The other host would get the password."""
    thief = TokenService()
    elsewhere.leads_to = f"http://127.0.0.1:{serve(thief.app)}/token"
    service = realm.removeprefix("http://").removesuffix("/token")
    with pytest.raises(TransferError, match="answers 307"):
        images.copy(f"{host}/app:1.0", "alice/app", token_hosts=[service])
    assert not thief.seen


def test_ambiguous_redirect_receives_no_token(
    images: Images, host: str, realm: str, serve: Serve
) -> None:
    r"""``http://a\@b/`` is a host ``a`` for some parsers, and ``b`` for others."""
    first, second = OtherRegistry(closed=True), OtherRegistry()
    for other in (first, second):
        other.push("app", "1.0", manifest=IMAGE, blobs=(CONFIG, LAYER))
    trusted = f"127.0.0.1:{serve(first.app)}"
    first.elsewhere = f"http://127.0.0.1:{serve(second.app)}\\@{trusted}"
    first.closed = False
    with pytest.raises(TransferError, match="invalid or without"):
        images.copy(f"{trusted}/app:1.0", "alice/app")
    assert not second.asked


@pytest.mark.parametrize(
    ("registry_url", "service_url", "expected"),
    [
        ("https://registry.example.com", "https://registry.example.com/token", True),
        ("https://registry.example.com", "https://REGISTRY.example.com./token", True),
        ("https://registry.example.com:5050", "https://registry.example.com/t", True),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("https://example.com", "https://auth.example.com/token", True),
        ("https://registry-1.docker.io", "https://auth.docker.io/token", True),
        ("http://registry.example.com", "https://registry.example.com/token", True),
        ("https://registry.example.com", "https://auth.example.com/token", False),
        ("https://alice.co.uk", "https://mallory.co.uk/token", False),
        ("https://alice.azurecr.io", "https://mallory.azurecr.io/token", False),
        ("https://example.com", "https://evil-example.com/token", False),
        ("https://example.com", "https://com/token", False),
        ("https://registry", "https://evil.registry/token", False),
        ("https://10.0.0.1:5000", "https://10.0.0.1:5001/token", False),
        ("https://10.0.0.1", "https://0.0.1/token", False),
        ("https://[::1]:5000", "https://[::1]:5001/token", False),
        ("http://registry.example.com:1", "http://registry.example.com:2/t", False),
        ("https://registry.example.com", "http://registry.example.com/token", False),
    ],
)
def test_token_service_of_the_same_owner_receives_credentials(
    registry_url: str, service_url: str, expected: bool
) -> None:
    """A name above or below that of the registry belongs to its owner."""
    service, home = UrlOrigin.of(service_url), UrlOrigin.of(registry_url)
    assert may_receive_credentials(service, home, ()) is expected


@pytest.mark.parametrize(
    "url",
    [
        "https://registry.example.com\\@evil.example/",
        "https://registry.example.com@evil.example/",
        "https:///token",
        "ftp://registry.example.com/",
        "token",
        "",
    ],
)
def test_ambiguous_url_has_no_origin(url: str) -> None:
    """Two parsers may read two hosts."""
    with pytest.raises(ValueError):  # noqa: PT011
        UrlOrigin.of(url)
