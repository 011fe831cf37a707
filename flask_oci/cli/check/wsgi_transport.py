"""Requests to the application itself, as a WSGI server sends them."""

from __future__ import annotations

import contextvars
import typing as t
from urllib.parse import urlsplit

from flask import request
from flask import request_finished
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.test import run_wsgi_app

from ...operations.work_thread import NO_WORK
from .transport import Reply
from .transport import StreamedBody
from .transport import Unreachable

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask

#: A documentation address (RFC 5737), so that rate limits by address count these
#: requests for no real client.
CLIENT_ADDRESS: t.Final = "192.0.2.1"


class WsgiTransport:
    """Calls an application as a WSGI server does.

    Flask's test client would share one context among several requests, and raise
    errors that a server answers.

    :param url: the address of the requests.
    """

    name = ""

    def __init__(self, app: Flask, url: str) -> None:
        self._app = app
        self._url = url

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | StreamedBody | None = None,
    ) -> Reply:
        """Send a request, and return the response."""
        if isinstance(body, StreamedBody):
            stream = _Stream(body)
            overrides: dict[str, t.Any] = {
                "wsgi.input": stream,
                "wsgi.input_terminated": True,
            }
            if body.length is None:
                overrides["HTTP_TRANSFER_ENCODING"] = "chunked"
            else:
                overrides["CONTENT_LENGTH"] = str(body.length)
            return self._call(method, path, headers, None, overrides)
        return self._call(method, path, headers, body, {})

    def announce(
        self, method: str, path: str, length: int, headers: Mapping[str, str]
    ) -> Reply | None:
        """Announce a body, and send none of it."""
        return self._call(method, path, headers, None, {"CONTENT_LENGTH": str(length)})

    def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        overrides: Mapping[str, t.Any],
    ) -> Reply:
        url = urlsplit(self._url)
        path, _, query = path.partition("?")
        sent: dict[str, str] = {
            # The headers of a proxy; an application without ProxyFix ignores them.
            "X-Forwarded-For": CLIENT_ADDRESS,
            "X-Forwarded-Host": url.netloc,
            "X-Forwarded-Proto": url.scheme,
            **(headers or {}),
        }
        builder = EnvironBuilder(
            path=path,
            query_string=query,
            base_url=f"{url.scheme}://{url.netloc}/",
            method=method,
            headers=Headers(sent.items()),
            data=body,
            environ_overrides={
                "REMOTE_ADDR": CLIENT_ADDRESS,
                NO_WORK: True,
                **overrides,
            },
        )
        try:
            environ = builder.get_environ()
        finally:
            builder.close()
        # The request must not run within the application context of the check.
        return contextvars.Context().run(self._run, environ)

    def _run(self, environ: dict[str, t.Any]) -> Reply:
        held: list[int] = []

        def look(_sender: object, **_: object) -> None:
            held.append(len(getattr(request, "_cached_data", b"")))

        try:
            with request_finished.connected_to(look, self._app):
                chunks, status, headers = run_wsgi_app(
                    self._app, environ, buffered=True
                )
            return Reply(
                int(status.split()[0]),
                {name.lower(): ", ".join(headers.getlist(name)) for name, _ in headers},
                b"".join(chunks),
                max(held, default=0),
            )
        except Exception as error:
            # An application in debug or testing mode propagates exceptions.
            raise Unreachable(
                f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} raised"
                f" {type(error).__name__}: {error}"
            ) from error


class _Stream:
    """The ``wsgi.input`` of a streamed body."""

    def __init__(self, body: StreamedBody) -> None:
        self._chunks = iter(body.chunks)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        if size < 0:
            return self._rest + b"".join(self._chunks)
        if not self._rest:
            self._rest = next(self._chunks, b"")
        chunk, self._rest = self._rest[:size], self._rest[size:]
        return chunk

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, and return the number of bytes."""
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def readline(self, size: int = -1) -> bytes:
        """Return bytes like :meth:`read`; the registry does not read lines."""
        return self.read(size)
