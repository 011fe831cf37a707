"""A server for real clients."""

from __future__ import annotations

import threading
import typing as t
from contextlib import contextmanager

from werkzeug.serving import make_server
from werkzeug.serving import WSGIRequestHandler

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class _QuietHandler(WSGIRequestHandler):
    """A handler that speaks HTTP/1.1, like production servers, and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: t.Any) -> None:
        pass


@contextmanager
def serving(app: WSGIApplication) -> t.Iterator[int]:
    """Serve an application on a port of 127.0.0.1, in a thread of this process.

    :return: the port.
    """
    server = make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=_QuietHandler
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
