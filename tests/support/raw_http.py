"""HTTP written by hand, for requests that no proper client sends."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
import typing as t
from dataclasses import dataclass

from flask_oci.testing.answers import ERROR_CODES
from flask_oci.testing.requests import basic
from tests.support.host import PASSWORDS

#: The time limit of each wait, in seconds. A correct server never needs it.
DEADLINE = 60.0

ALICE = f"Authorization: {basic('alice', PASSWORDS['alice'])}\r\n"


@dataclass(frozen=True)
class Answer:
    """A server's answer."""

    status: int
    headers: dict[str, str]
    """The headers by lower-case name; a repeated header is an error."""

    body: bytes

    @property
    def is_from_registry(self) -> bool:
        """Whether the registry wrote the answer, and not the server itself."""
        return "docker-distribution-api-version" in self.headers

    def refusal(self) -> tuple[int, str]:
        """Return the status and the code of an error in the registry's JSON."""
        assert self.headers["content-type"] == "application/json", self
        (entry,) = json.loads(self.body)["errors"]
        assert set(entry) <= {"code", "message", "detail"}
        assert all(isinstance(value, str) for value in entry.values())
        assert entry["code"] in ERROR_CODES
        return self.status, entry["code"]

    def assert_refused(self) -> None:
        """Check that it is a 4xx of the registry or of the server."""
        assert 400 <= self.status < 500, self
        if self.is_from_registry:
            self.refusal()


class Connection:
    """A connection to a server on this machine.

    :param port: where the server listens.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self._received = self._socket.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def send(self, *parts: str | bytes) -> None:
        """Send bytes, or text in Latin-1."""
        for part in parts:
            data = part.encode("latin-1") if isinstance(part, str) else part
            self._socket.sendall(data)

    def end(self) -> None:
        """Close the sending direction, and keep receiving."""
        self._socket.shutdown(socket.SHUT_WR)

    def receive(self, size: int) -> bytes:
        """Return this many bytes of an answer, or fewer at its end."""
        return self._received.read(size)

    def answer(self, *, has_body: bool = True) -> Answer:
        """Return the next answer.

        :raises ConnectionError: if the server closes the connection without one.
        """
        line = self._received.readline()
        if not line.startswith(b"HTTP/"):
            raise ConnectionResetError(f"this is no answer: {line[:99]!r}")
        version, status, _ = line.decode("latin-1").split(" ", 2)
        assert version in ("HTTP/1.0", "HTTP/1.1")
        headers: dict[str, str] = {}
        while (line := self._received.readline()) != b"\r\n":
            name, colon, value = line.decode("latin-1").partition(":")
            assert colon, line
            assert name.lower() not in headers, line
            headers[name.lower()] = value.strip()
        if int(status) < 200:
            return Answer(int(status), headers, b"")
        has_body = has_body and status not in ("204", "304")
        size = int(headers.get("content-length", -1))
        body = self._received.read(size) if has_body else b""
        assert size < 0 or not has_body or len(body) == size
        return Answer(int(status), headers, body)

    def close(self) -> None:
        """Close the connection properly."""
        self._received.close()
        self._socket.close()

    def reset(self) -> None:
        """Reset the connection, as a crashed machine does."""
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()


def head(method: str, target: str, *lines: str, credentials: str = ALICE) -> str:
    """Return the head of a request; the connection closes after its answer."""
    fields = "".join(f"{line}\r\n" for line in (*lines, "Connection: close"))
    if not any(line.lower().startswith("host:") for line in lines):
        fields = f"Host: registry.test\r\n{fields}"
    return f"{method} {target} HTTP/1.1\r\n{fields}{credentials}\r\n"


def chunk(data: bytes) -> bytes:
    """Return a chunk of a body without a length."""
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def ask(
    port: int,
    method: str,
    target: str,
    *lines: str,
    body: bytes = b"",
    end: bool = False,
    credentials: str = ALICE,
) -> Answer:
    """Send one request on a new connection, and return its answer.

    :param end: whether the client closes its sending direction.
    """
    with Connection(port) as connection:
        # A server may close the connection before it has read a refused body.
        with contextlib.suppress(ConnectionError):
            connection.send(head(method, target, *lines, credentials=credentials), body)
            if end:
                connection.end()
        return connection.answer(has_body=method != "HEAD")


def start_upload(port: int, name: str = "alice/app") -> str:
    """Start an upload session, and return its location."""
    path = f"/v2/{name}/blobs/uploads/"
    answer = ask(port, "POST", path, "Content-Length: 0")
    assert answer.status == 202, answer
    return answer.headers["location"]


def stored(port: int, location: str) -> str:
    """Return the stored range of an upload session, as its status reports it."""
    answer = ask(port, "GET", location)
    assert answer.status == 204, answer
    return answer.headers["range"]


def wait_until(ready: t.Callable[[], bool], what: str) -> None:
    """Return as soon as `ready` is true, and fail if it stays false."""
    deadline = time.monotonic() + DEADLINE
    while not ready():
        assert time.monotonic() < deadline, f"in {DEADLINE:.0f} s: not {what}"
        time.sleep(0.01)
