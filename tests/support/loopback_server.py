"""A server of a test on 127.0.0.1."""

from __future__ import annotations

import threading
import typing as t
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer

if t.TYPE_CHECKING:
    from socketserver import TCPServer

    from typing_extensions import Self


class QuietHandler(BaseHTTPRequestHandler):
    """A handler without a log."""

    def log_message(self, format: str, *args: t.Any) -> None:
        """Write nothing."""


class Running:
    """A server that responds while it is entered, from a thread."""

    def __init__(self, server: TCPServer) -> None:
        self._server = server
        self.port = int(server.server_address[1])
        self._thread = threading.Thread(target=server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()


class LoopbackServer(Running):
    """A server of HTTP, with a thread for each connection.

    :param handler: the class that responds.
    :param address: the address and the port; 0 is a free port.
    """

    def __init__(
        self, handler: type[QuietHandler], address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        server = ThreadingHTTPServer(address, handler)
        server.daemon_threads = True
        super().__init__(server)
        self.url = f"http://{address[0]}:{self.port}"
