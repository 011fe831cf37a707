"""A container of Azure that is used with the identity of the machine, on Azurite.

Azurite checks the issuer, the audience and the lifetime of tokens, not their signature.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import threading
import time
import typing as t
import urllib.error
import urllib.request
import uuid
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import pytest
from flask import Flask

from flask_oci.testing.manifests import digest_of
from tests.conftest import MakeApp
from tests.support.faulty_store import Fault
from tests.support.faulty_store import FaultyStore
from tests.support.forge import tool
from tests.support.loopback_server import LoopbackServer
from tests.support.loopback_server import QuietHandler
from tests.support.object_stores import azurite
from tests.support.object_stores import Store
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import Upkeep

pytestmark = pytest.mark.real

NAME: t.Final = "alice/app"
CONTENT: t.Final = os.urandom(100_000)
PATH: t.Final = f"/v2/{NAME}/blobs/{digest_of(CONTENT)}"

#: The identity of the machine, as tokens name it.
CLAIMS: t.Final = {
    "aud": "https://storage.azure.com",
    "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
    "oid": "11059fcc-5514-4800-b5f8-49808b9cfab6",
    "tid": "ab1f708d-50f6-404c-a006-d71b2ac7a606",
}


def _encoded(value: object) -> str:
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


class _Identity(QuietHandler):
    """The service of a machine in Azure that gives its programs tokens."""

    def do_GET(self) -> None:
        """Answer as the App Service does."""
        # The store does not know the time to which a test travels.
        now, days = int(time.time()), 3 * 24 * 3600
        claims = {**CLAIMS, "nbf": now - days, "iat": now - days, "exp": now + days}
        token = f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."
        body = json.dumps(
            {
                "access_token": token,
                "expires_on": str(now + 3600),
                "resource": "https://storage.azure.com",
                "token_type": "Bearer",
            }
        ).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "own.pem", folder / "own.key"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    name = ("-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1")
    out = ("-out", str(files[0]), "-keyout", str(files[1]))
    program = tool("openssl", "Debian's openssl")
    command = (program, "req", "-x509", *key, *name, *out)
    subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture(name="store", scope="module")
def _store(certificate: tuple[Path, Path]) -> t.Iterator[Store]:
    with azurite(certificate) as store:
        yield store


@pytest.fixture(name="proxy")
def _proxy(store: Store, certificate: tuple[Path, Path]) -> t.Iterator[FaultyStore]:
    with FaultyStore(store.port, certificate) as proxy:
        yield proxy


@pytest.fixture(name="make_identified")
def _make_identified(
    store: Store,
    proxy: FaultyStore,
    certificate: tuple[Path, Path],
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
) -> t.Iterator[t.Callable[..., Flask]]:
    """Create an application without keys, on a machine with an identity."""
    with LoopbackServer(_Identity) as identity:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
        monkeypatch.setenv("IDENTITY_ENDPOINT", identity.url)
        monkeypatch.setenv("IDENTITY_HEADER", "secret")
        url = str(store.at(proxy.port).config(uuid.uuid4().hex)["OCI_STORAGE"])
        yield lambda **more: make_app(OCI_STORAGE=url, **more)


def _location(client: RegistryClient) -> str:
    with client.get(PATH) as response:
        assert response.status_code == 307
        return response.headers["Location"]


def _key_of(url: str) -> str:
    """Return the end of the validity of the key that signed a URL."""
    (end,) = parse_qs(urlsplit(url).query)["ske"]
    return end


def _fetch(url: str, certificate: Path) -> bytes:
    context = ssl.create_default_context(cafile=certificate)
    with urllib.request.urlopen(url, timeout=30, context=context) as response:
        assert response.headers["Content-Disposition"] == "attachment"
        return bytes(response.read())


def _codes(app: Flask) -> set[str]:
    """Return the codes of the findings of the check."""
    found = json.loads(Upkeep(app).run("check", "--json").stdout)
    return {finding["code"] for finding in found["findings"]}


def test_identity_signs_urls_with_a_key_that_is_kept(
    make_identified: t.Callable[..., Flask], certificate: tuple[Path, Path]
) -> None:
    """A client without credentials reads one object by the URL, and no other. One key
    signs the URLs of a process, until shortly before its end."""
    app = make_identified(OCI_DOWNLOADS="redirect")
    alice = RegistryClient.of(app, "alice")
    alice.push_blob(NAME, CONTENT)
    with later(timedelta(hours=-1)):
        first = _location(alice)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(_location(alice)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {_key_of(url) for url in found} == {_key_of(first)}
    assert _fetch(found[0], certificate[0]) == CONTENT
    path = urlsplit(found[0]).path
    with pytest.raises(urllib.error.HTTPError) as refused:
        _fetch(found[0].replace(path, f"{path}0"), certificate[0])
    refused.value.close()
    assert refused.value.code == 403
    with later(timedelta(hours=20)):
        assert _key_of(_location(alice)) > _key_of(first)
    assert "store-signs-no-url" not in _codes(app)


def test_identity_that_may_not_sign_lets_the_application_send_the_blobs(
    make_identified: t.Callable[..., Flask],
    proxy: FaultyStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The check and the log name it. The store is asked once a minute, not for each
    download. A key that was received before is used until its end."""
    app = make_identified(OCI_DOWNLOADS="redirect")
    alice = RegistryClient.of(app, "alice")
    alice.push_blob(NAME, CONTENT)
    # Only the request for a key is a POST.
    code = "AuthorizationPermissionMismatch"
    fault = proxy.fault = Fault(("POST",), status=403, code=code)
    for _ in range(3):
        assert alice.blob(NAME, digest_of(CONTENT)) == CONTENT
    assert fault.happened == 1
    assert "Get User Delegation Key" in caplog.text
    assert "store-signs-no-url" in _codes(app)
    proxy.fault = None
    with later(timedelta(minutes=2)):
        first = _location(alice)
        assert "store-signs-no-url" not in _codes(app)
    proxy.fault = fault
    with later(timedelta(hours=20)):
        assert _key_of(_location(alice)) == _key_of(first)
    with later(timedelta(hours=25)):
        assert alice.blob(NAME, digest_of(CONTENT)) == CONTENT
