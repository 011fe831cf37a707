"""A client of the registry on bare sockets, which can break off at any byte."""

from __future__ import annotations

import base64
import json
import socket
import struct
import typing as t
from dataclasses import dataclass
from urllib.parse import quote

#: The time limit of an answer, in seconds. A slower server hangs.
PATIENCE = 60.0

#: The number of bytes sent at a time, so that a body can break off in between.
PIECE = 64 * 1024


class Broken(Exception):
    """The connection ended without an answer; the request's effect is unknown."""


@dataclass(frozen=True)
class Answer:
    """A complete answer."""

    status: int
    headers: dict[str, str]
    """The headers by lower-case name."""

    body: bytes

    def code(self) -> str:
        """Return the code of an error in the registry's JSON."""
        return t.cast(str, json.loads(self.body)["errors"][0]["code"])


class Request(t.NamedTuple):
    """A request, as :meth:`Client.request` sends it."""

    method: str
    path: str
    body: bytes
    headers: t.Mapping[str, str]
    is_chunked: bool
    cut: int | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Client:
    """One connection to the registry, which is opened again after it has ended.

    :param port: the registry's port on this machine.
    :param authorization: the header of every request.
    """

    def __init__(self, port: int, authorization: str) -> None:
        self._port = port
        self._authorization = authorization
        self._socket: socket.socket | None = None
        self._received: t.BinaryIO | None = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: t.Mapping[str, str] | None = None,
        *,
        chunked: bool = False,
        cut: int | None = None,
    ) -> Answer:
        """Send a request and return its answer.

        :param chunked: whether the body is sent without its length, as docker does.
        :param cut: reset the connection after this many bytes of the body.
        :raises Broken: if the connection ends before the complete answer.
        """
        return self.exchange(Request(method, path, body, headers or {}, chunked, cut))

    def exchange(self, request: Request) -> Answer:
        """Send a request and return its answer, as :meth:`request` does."""
        try:
            self._send(request)
            return self._answer(request.method)
        except TimeoutError:
            raise AssertionError(f"{request}: no answer in {PATIENCE} s") from None
        except (ConnectionError, EOFError) as error:
            self.close()
            raise Broken(f"{request}: {error}") from None

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._received is not None:
            self._received.close()
        if self._socket is not None:
            self._socket.close()
        self._received = self._socket = None

    def _send(self, request: Request) -> None:
        body, cut, chunked = request.body, request.cut, request.is_chunked
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
            self._received = self._socket.makefile("rb")
        fields = {
            "Host": f"127.0.0.1:{self._port}",
            "Authorization": self._authorization,
            **request.headers,
        }
        if chunked:
            fields["Transfer-Encoding"] = "chunked"
        else:
            fields["Content-Length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._socket.sendall(f"{request} HTTP/1.1\r\n{lines}\r\n".encode())
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            if cut is not None and start + len(piece) > cut:
                self._socket.sendall(_framed(piece[: cut - start], chunked))
                self._reset()
            self._socket.sendall(_framed(piece, chunked))
        if chunked:
            self._socket.sendall(b"0\r\n\r\n")

    def _answer(self, method: str) -> Answer:
        received = self._received
        assert received is not None
        status = _line(received).split(" ", 2)[1]
        headers: dict[str, str] = {}
        while line := _line(received):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        has_body = method != "HEAD" and status not in ("204", "304")
        size = int(headers["content-length"]) if has_body else 0
        body = received.read(size)
        if len(body) < size:
            raise EOFError("the answer broke off")
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(status), headers, body)

    def _reset(self) -> t.NoReturn:
        assert self._socket is not None
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise ConnectionResetError("as after a power cut of the client")


def log_in(port: int, username: str, password: str, names: t.Iterable[str]) -> str:
    """Return the Authorization header of a bearer token for some repositories."""
    secret = base64.b64encode(f"{username}:{password}".encode()).decode()
    client = Client(port, f"Basic {secret}")
    scopes = "&".join(
        f"scope={quote(f'repository:{name}:pull,push,delete')}" for name in names
    )
    try:
        answer = client.request("GET", f"/v2/token?{scopes}")
    finally:
        client.close()
    assert answer.status == 200, answer
    return f"Bearer {json.loads(answer.body)['token']}"


def _line(received: t.BinaryIO) -> str:
    line = received.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError("the answer broke off")
    return line.decode("latin-1").rstrip("\r\n")


def _framed(data: bytes, chunked: bool) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if chunked and data else data
