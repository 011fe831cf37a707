"""Clients that send their bodies slowly, through the documented nginx."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.forge import Forge

from .servers import Certificate
from .servers import nginx

pytestmark = pytest.mark.real

#: The number of slow clients of each kind, more than the server has threads.
SLOW = 60

REQUESTS = (
    ("POST", "/v2/alice/app/blobs/uploads/", "application/octet-stream"),
    ("PUT", "/v2/alice/app/manifests/latest", "application/octet-stream"),
    ("POST", "/v2/token", "application/x-www-form-urlencoded"),
)


class Client:
    """A connection to a proxy with TLS."""

    def __init__(self, url: str, certificate: Certificate) -> None:
        address = urlsplit(url)
        context = ssl.create_default_context(cafile=str(certificate.authority))
        plain = socket.create_connection(("127.0.0.1", int(address.port or 0)), 30)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")

    def begin(self, method: str, path: str, content_type: str, size: int) -> None:
        """Send the head of a request, and the first byte of its body."""
        self.socket.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {size}\r\n\r\n"
            "a".encode()
        )

    def status(self) -> int:
        """Return the status of the answer."""
        line = self.socket.makefile("rb").readline()
        return int(line.split()[1])


def test_slow_bodies_of_anonymous_clients_occupy_no_worker(
    forge: Forge, certificate: Certificate, tmp_path: Path
) -> None:
    """Other clients are answered while many anonymous clients send their bodies."""

    def more(text: str) -> str:
        return text.replace("events {}", "events { worker_connections 1000; }")

    with (
        nginx(tmp_path, forge.host, certificate, more) as url,
        contextlib.ExitStack() as stack,
    ):
        slow: dict[str, list[Client]] = {}
        for method, path, content_type in REQUESTS:
            for _ in range(SLOW):
                client = Client(url, certificate)
                stack.callback(client.socket.close)
                client.begin(method, path, content_type, 30_000)
                slow.setdefault(path, []).append(client)
        other = Client(url, certificate)
        stack.callback(other.socket.close)
        other.begin("GET", "/v2/", "text/plain", 1)
        assert other.status() == 400
        for path, clients in slow.items():
            if path != "/v2/token":
                assert {client.status() for client in clients} == {401}


def test_large_slow_bodies_of_anonymous_clients_occupy_no_worker(
    forge: Forge, certificate: Certificate, tmp_path: Path
) -> None:
    """An announced layer is not awaited either."""
    with (
        nginx(tmp_path, forge.host, certificate) as url,
        contextlib.ExitStack() as stack,
    ):
        found = []
        for _ in range(SLOW):
            client = Client(url, certificate)
            stack.callback(client.socket.close)
            method, path, content_type = REQUESTS[0]
            client.begin(method, path, content_type, 8_000_000)
            found.append(client.status())
        assert set(found) == {401}
