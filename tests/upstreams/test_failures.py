"""An upstream that fails, lies, or leads elsewhere."""

from __future__ import annotations

import socket
import threading
import typing as t
from contextlib import suppress

import pytest
from flask import Flask
from flask import request
from flask import Response

from flask_oci.config import ConfigError
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.upstreams.failures import UpstreamFailed
from tests.conftest import MakeApp
from tests.support.other_registry import LOGIN
from tests.support.registry_client import RegistryClient

from .conftest import age
from .conftest import IMAGE
from .conftest import Serve
from .conftest import Upstreamed

pytestmark = pytest.mark.sqlite_only

NAME = "hub/library/alpine"
TAG = f"/v2/{NAME}/manifests/3"
BLOB = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"


def message(answer: t.Any) -> str:
    """Return the message of an error."""
    return str(answer.get_json()["errors"][0]["message"])


@pytest.mark.parametrize("status", [429, 500, 503, 418])
def test_stale_tag_is_served_while_the_upstream_fails(
    up: Upstreamed, status: int
) -> None:
    """A tag that is too old, or not cached, gets an error that names the upstream."""
    alice = up.client(stale=3600)
    alice.pull(NAME, "3")
    age(alice.app, minutes=6)
    up.hub.broken = [status] * 100
    assert alice.get(TAG).data == IMAGE
    expected = 429 if status == 429 else 503
    missing = alice.get(f"/v2/{NAME}/manifests/4")
    assert missing.status_code == expected
    assert up.address.partition("://")[2] in message(missing)
    assert int(missing.headers["Retry-After"]) >= 30
    age(alice.app, minutes=60)
    assert alice.get(TAG).status_code == expected


def test_upstream_that_is_down_costs_one_attempt(up: Upstreamed) -> None:
    """Further requests are answered without a request to the upstream."""
    alice = up.client()
    alice.pull(NAME, "3")
    age(alice.app, minutes=6)
    up.hub.broken = [429] * 100
    for _ in range(5):
        assert alice.get(TAG).status_code == 200
        assert alice.get(f"/v2/{NAME}/manifests/4").status_code == 429
    assert up.heads() == 2


def test_hanging_upstream_is_given_up(up: Upstreamed) -> None:
    """The request ends at the timeout, and the next one does not wait."""
    release = threading.Event()
    alice = up.client(timeout=1)
    alice.pull(NAME, "3")
    age(alice.app, minutes=6)

    def hang() -> None:
        release.wait(30)

    up.hub.before = hang
    try:
        assert alice.get(TAG).data == IMAGE
        before = len(up.hub.asked)
        assert alice.get(TAG).data == IMAGE
        assert alice.get(f"/v2/{NAME}/manifests/4").status_code == 503
        assert len(up.hub.asked) == before
    finally:
        release.set()


def test_upstream_that_sends_single_bytes_is_given_up(up: Upstreamed) -> None:
    """Each byte arrives in time, and the whole answer does not."""
    sent = 0

    def serve(listener: socket.socket) -> None:
        nonlocal sent
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            for sent in range(300):  # noqa: B007 - the test reads it
                connection.sendall(b"x")
                pause.wait(0.1)

    pause = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert up.client(address=address, timeout=1).get(TAG).status_code == 503
        thread.join(60)
    assert sent < 290


def test_blob_with_another_digest_is_not_kept(up: Upstreamed) -> None:
    """The answer is an error, or breaks off before its last byte."""
    alice = up.client()
    alice.get(TAG)
    up.hub.blobs[digest_of(LAYER)] = b"another layer"[: len(LAYER)]
    with suppress(UpstreamFailed):
        assert alice.get(BLOB).status_code == 503
    up.settle()
    up.hub.blobs[digest_of(LAYER)] = LAYER
    assert alice.get(BLOB).data == LAYER


@pytest.mark.parametrize("content", [LAYER + b"more", LAYER[:-1], b""])
def test_blob_of_another_size_is_not_kept(up: Upstreamed, content: bytes) -> None:
    alice = up.client()
    alice.get(TAG)
    up.hub.blobs[digest_of(LAYER)] = content
    with suppress(UpstreamFailed):
        assert alice.get(BLOB).status_code == 503
    up.settle()
    up.hub.blobs[digest_of(LAYER)] = LAYER
    assert alice.get(BLOB).data == LAYER


def test_interrupted_blob_is_resumed(up: Upstreamed) -> None:
    """The registry asks for the rest, once."""
    alice = up.client()
    alice.get(TAG)
    up.hub.cut = len(LAYER) - 2
    assert alice.get(BLOB).data == LAYER
    assert up.blobs() == 2


def test_manifest_with_another_digest_is_refused(up: Upstreamed) -> None:
    """The digest of the HEAD has to be that of the content."""
    alice = up.client()
    up.hub.manifests["library/alpine", digest_of(IMAGE)] = image(b"other")
    answer = alice.get(TAG)
    assert answer.status_code == 503
    assert "invalid content" in message(answer)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"schemaVersion": 2}', b"x" * 5000])
def test_invalid_manifest_is_refused(up: Upstreamed, content: bytes) -> None:
    alice = RegistryClient.of(up.app(), "alice")
    digest = digest_of(content)

    headers = {"Docker-Content-Digest": digest}
    up.hub.before = lambda: Response(content, 200, headers)
    assert alice.get(TAG).status_code == 503


def test_redirect_to_a_private_address_is_not_followed(
    up: Upstreamed, serve: Serve
) -> None:
    """A redirect must not reach the neighbours of the forge."""
    seen: list[str | None] = []
    neighbour = Flask("neighbour")

    @neighbour.before_request
    def _see() -> Response:
        seen.append(request.headers.get("Authorization"))
        return Response(LAYER)

    port = serve(neighbour)
    alice = up.client(networks=["127.0.0.1/32"])
    alice.get(TAG)
    up.hub.elsewhere = f"http://127.0.0.2:{port}"
    assert alice.get(BLOB).status_code == 503
    up.settle()
    assert seen == []


def test_private_upstream_needs_its_network(up: Upstreamed) -> None:
    alice = up.client(networks=[])
    answer = alice.get(TAG)
    assert answer.status_code == 503
    assert up.hub.asked == []


def test_credentials_go_to_the_upstream_only(up: Upstreamed, serve: Serve) -> None:
    """A redirect, and a token service on another host, do not get the password."""
    seen: list[str | None] = []
    other = Flask("other")

    @other.before_request
    def _see() -> Response:
        seen.append(request.headers.get("Authorization"))
        return Response('{"token": "x"}')

    elsewhere = f"http://127.0.0.1:{serve(other)}"
    up.hub.closed = True
    username, _, password = "robot:sesame:open".partition(":")
    alice = up.client(username=username, password=password)
    alice.get(TAG)
    up.hub.elsewhere = elsewhere
    with suppress(UpstreamFailed):
        alice.get(BLOB)
    assert LOGIN in up.hub.seen
    assert seen == [None]
    up.settle()

    challenge = {"WWW-Authenticate": f'Bearer realm="{elsewhere}/token"'}
    up.hub.before = lambda: Response(status=401, headers=challenge)
    again = up.client(username=username, password=password)
    age(again.app, minutes=6)
    assert again.get(TAG).data == IMAGE
    assert seen == [None]


def test_tokens_of_the_upstream_are_used(up: Upstreamed) -> None:
    """An expired token is replaced."""
    up.hub.uses = 2
    alice = up.client(username="robot", password="sesame:open")
    assert alice.pull(NAME, "3").digest == digest_of(IMAGE)


def test_too_large_blob_is_refused(up: Upstreamed) -> None:
    alice = up.client(max_blob_size=len(LAYER) - 1)
    alice.get(TAG)
    answer = alice.get(BLOB)
    assert answer.status_code == 403
    assert up.blobs() == 0


def test_blob_beyond_the_quota_is_served_and_not_kept(up: Upstreamed) -> None:
    """A full cache still serves."""
    alice = up.client(quota=1)
    alice.pull(NAME, "3")
    up.settle()
    alice.pull(NAME, "3")
    assert up.blobs() == 4


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("docker.io", "mapping"),
        ({"Hub": "docker.io"}, "'Hub' is invalid"),
        ({"a/b": "docker.io"}, "without a slash"),
        ({"hub": {}}, "an address"),
        ({"hub": "ftp://a"}, "must be a host"),
        ({"hub": "https://user:secret@host"}, "must be a host"),
        ({"hub": {"address": "a.example/path"}}, "without a path"),
        ({"hub": {"address": "a", "password": "x"}}, "both a 'username'"),
        ({"hub": {"address": "a", "fresh": 0}}, "'fresh'"),
        ({"hub": {"address": "a", "on_deleted": "ask"}}, "'keep', 'delete'"),
        ({"hub": {"address": "a", "speed": 1}}, "unknown setting 'speed'"),
    ],
)
def test_invalid_upstream_stops_the_application(
    make_app: MakeApp, value: object, said: str
) -> None:
    """The message names the setting, and never repeats a password."""
    with pytest.raises(ConfigError, match="OCI_UPSTREAMS") as caught:
        make_app(OCI_UPSTREAMS=value)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
