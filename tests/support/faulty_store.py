"""A proxy before an object store, whose answers can be those of a store that fails."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import typing as t
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from tests.support.loopback_server import LoopbackServer
from tests.support.loopback_server import QuietHandler

#: Headers that belong to one connection.
_OF_CONNECTION: t.Final = frozenset({"connection", "expect", "transfer-encoding"})

#: The number of bytes that are received at once, and the pause between two of them, in
#: seconds, of a slow store.
PIECE: t.Final = 64 * 1024
SLOW: t.Final = 0.025


@dataclass
class Fault:
    """A failure of the store.

    :param methods: the methods that fail.
    :param status: the status of the answer, or None for the store's own.
    :param code: the error code of the answer.
    :param is_silent: whether there is no answer at all.
    :param is_late: whether the connection ends after the store has done its work.
    :param is_slow: whether the bodies of requests are received slowly.
    :param is_cut: whether the connection ends in the middle of the body of the answer.
    :param times: how many requests fail.
    """

    methods: t.Collection[str] = ("GET", "HEAD", "PUT", "POST", "DELETE")
    status: int | None = None
    code: str = ""
    is_silent: bool = False
    is_late: bool = False
    is_slow: bool = False
    is_cut: bool = False
    times: int = 1_000_000
    happened: int = field(default=0, init=False)
    """How many requests have failed."""


class FaultyStore(LoopbackServer):
    """A proxy on 127.0.0.1 that passes requests on, or fails them.

    :param port: the port of the store.
    :param certificate: the files of the certificate of both, and of its key, if the
        store has TLS.
    """

    def __init__(self, port: int, certificate: tuple[Path, Path] | None = None) -> None:
        self.fault: Fault | None = None
        self.answers: dict[str, str] = {}
        """The XML of answers by the query of their requests."""

        self._target = port
        self._certificate = certificate
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        store = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def _pass_on(self) -> None:
                store._answer(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on

        super().__init__(Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        super().__exit__(*error)

    def _fault_of(self, method: str) -> Fault | None:
        with self._lock:
            fault = self.fault
            if fault is None or method not in fault.methods:
                return None
            if fault.happened >= fault.times:
                return None
            fault.happened += 1
            return fault

    def _answer(self, request: QuietHandler) -> None:
        fault = self._fault_of(request.command)
        is_slow = fault is not None and fault.is_slow
        body = self._receive(request, SLOW if is_slow else 0)
        said = self.answers.get(request.path.partition("?")[2])
        if said is not None:
            _respond(request, 200, said.encode())
        elif fault is not None and fault.is_silent:
            self._is_over.wait(20)
            request.close_connection = True
        elif fault is not None and fault.status is not None:
            _refuse(request, fault)
        else:
            self._forward(request, body, fault)

    def _receive(self, request: QuietHandler, pause: float) -> bytes:
        """Read the body of a request.

        :param pause: the time between two pieces, in seconds.
        """
        left = int(request.headers.get("Content-Length") or 0)
        if pause:
            # Otherwise the kernel receives most of the body at once.
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        body = bytearray()
        while left and (piece := request.rfile.read(min(left, PIECE))):
            body += piece
            left -= len(piece)
            self._is_over.wait(pause)
        return bytes(body)

    def _connection(self) -> http.client.HTTPConnection:
        if self._certificate is None:
            return http.client.HTTPConnection("127.0.0.1", self._target, timeout=20)
        context = ssl.create_default_context(cafile=self._certificate[0])
        return http.client.HTTPSConnection(
            "127.0.0.1", self._target, timeout=20, context=context
        )

    def _forward(self, request: QuietHandler, body: bytes, fault: Fault | None) -> None:
        headers = {k: v for k, v in request.headers.items() if not _is_hop(k)}
        connection = self._connection()
        try:
            connection.request(request.command, request.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            if fault is not None and fault.is_late:
                request.close_connection = True
                return
            request.send_response_only(response.status)
            for name, value in response.headers.items():
                if not _is_hop(name) and name.lower() != "content-length":
                    request.send_header(name, value)
            length = response.headers["Content-Length"] or str(len(content))
            if request.command != "HEAD" and response.status != 204:
                length = str(len(content))
            request.send_header("Content-Length", length)
            request.end_headers()
            if fault is not None and fault.is_cut:
                content = content[: len(content) // 2]
                request.close_connection = True
            request.wfile.write(content)
        finally:
            connection.close()


def _refuse(request: QuietHandler, fault: Fault) -> None:
    """Answer as S3 and Azure do: both have the code in XML, and Azure in a header."""
    text = f"<Error><Code>{fault.code}</Code><Message>Broken</Message></Error>"
    body = b"" if request.command == "HEAD" else text.encode()
    _respond(request, fault.status or 500, body, fault.code)


def _respond(request: QuietHandler, status: int, body: bytes, code: str = "") -> None:
    request.send_response_only(status)
    if code:
        request.send_header("x-ms-error-code", code)
    request.send_header("Content-Type", "application/xml")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def _is_hop(name: str) -> bool:
    return name.lower() in _OF_CONNECTION
