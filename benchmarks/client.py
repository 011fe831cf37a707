"""A client with a low cost compared with the servers that it measures.

It speaks HTTP on a bare socket, sends files with ``sendfile``, and discards pulled
bytes in its one buffer.
"""

from __future__ import annotations

import os
import socket
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

if t.TYPE_CHECKING:
    from types import TracebackType

#: Bytes in each chunk of a streamed body: as many as in a chunk of Go's HTTP client,
#: which docker uses.
CHUNK: t.Final = 32 * 1024

#: The time limit of an answer, in seconds.
PATIENCE: t.Final = 120.0

_BUFFER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, without a body that was discarded."""

    status: int
    headers: dict[str, str]
    """The headers by lower-case name."""

    body: bytes = b""

    def expect(self, *statuses: int) -> Answer:
        """Return this answer if it has one of these statuses.

        :raises RuntimeError: for any other status, because a refusal is fast and would
            distort the result.
        """
        if self.status not in statuses:
            raise RuntimeError(f"answered {self.status}: {self.body[:500]!r}")
        return self


class Connection:
    """One connection to a registry on this machine.

    :param port: the registry's port.
    :param authorization: the header of every request, if any.
    """

    def __init__(self, port: int, authorization: str | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_BUFFER)
        self._head = f"Host: 127.0.0.1:{port}\r\n"
        if authorization:
            self._head += f"Authorization: {authorization}\r\n"

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        *,
        chunked: bool = False,
        **headers: str,
    ) -> Answer:
        """Send a request and return its answer.

        :param chunked: whether the body is sent as docker does, without its length.
        :param headers: by name, with ``_`` for ``-``.
        """
        if body is None and method in ("POST", "PUT", "PATCH"):
            body = b""
        if body and chunked:
            headers["Transfer_Encoding"] = "chunked"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif body is not None:
            headers["Content_Length"] = str(len(body))
        self._socket.sendall(self._header(method, target, headers) + (body or b""))
        return self._answer(method)

    def push(self, location: str, path: str, size: int) -> Answer:
        """Stream a file as docker does, in one PATCH without a length."""
        head = self._header(
            "PATCH",
            location,
            {
                "Content_Type": "application/octet-stream",
                "Transfer_Encoding": "chunked",
            },
        )
        with open(path, "rb", buffering=0) as file:
            for start in range(0, size, CHUNK):
                length = min(CHUNK, size - start)
                # With MSG_MORE, the next bytes share the same packets.
                self._socket.send(head + b"%x\r\n" % length, socket.MSG_MORE)
                while length > 0:
                    length -= os.sendfile(
                        self._socket.fileno(), file.fileno(), None, length
                    )
                head = b"\r\n"
        self._socket.sendall(head + b"0\r\n\r\n")
        return self._answer("PATCH")

    def pull(self, target: str) -> int:
        """Get a manifest or blob, and return its number of bytes."""
        self._socket.sendall(self._header("GET", target, {}))
        answer, rest = self._read_head()
        answer.expect(200)
        size = int(answer.headers["content-length"])
        left = size - len(rest)
        while left > 0:
            received = self._socket.recv_into(self._buffer, min(left, _BUFFER))
            if not received:
                raise ConnectionResetError("the answer broke off")
            left -= received
        return size

    def _header(self, method: str, target: str, headers: dict[str, str]) -> bytes:
        fields = "".join(
            f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()
        )
        return f"{method} {target} HTTP/1.1\r\n{self._head}{fields}\r\n".encode()

    def _answer(self, method: str) -> Answer:
        answer, body = self._read_head()
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        if answer.headers.get("transfer-encoding") == "chunked":
            # The client sends one request at a time, so the received bytes end here.
            while not body.endswith(b"\r\n0\r\n\r\n"):
                body += self._receive()
            body = _joined(body)
        size = int(answer.headers.get("content-length", 0))
        while len(body) < size:
            body += self._receive()
        return Answer(answer.status, answer.headers, body)

    def _read_head(self) -> tuple[Answer, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        return Answer(int(status.split(" ", 2)[1]), headers), rest

    def _receive(self) -> bytes:
        received = self._socket.recv(_BUFFER)
        if not received:
            raise ConnectionResetError("the answer broke off")
        return received


def _joined(chunks: bytes) -> bytes:
    """Return the content of a chunked body."""
    body = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        body, chunks = body + rest[:length], rest[length + 2 :]
    return body


def target_of(location: str) -> str:
    """Return the request target of a location, which may be a path or a URL."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def with_digest(location: str, digest: str) -> str:
    """Return the address that closes an upload."""
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"
