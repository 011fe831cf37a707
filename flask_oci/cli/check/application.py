"""Asks the application itself, as a server would, with nothing in front."""

from __future__ import annotations

import contextvars
import typing as t
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.test import run_wsgi_app

from .transport import Pieces
from .transport import Reply
from .transport import Unreachable

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask

#: An address that is nobody's (RFC 5737), so that what counts requests by address
#: counts these for nobody.
VISITOR: t.Final = "192.0.2.1"


class Application:
    """Calls an application as a WSGI server does.

    Flask's test client would keep one context around several requests, and have
    errors raised that a server answers.

    :param url: the address that the requests are for.
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
        body: bytes | Pieces | None = None,
    ) -> Reply:
        """Send a request, and return its answer."""
        if isinstance(body, Pieces):
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
        """Announce a body and send none of it."""
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
            # What a proxy in front tells, to whoever listens to it.
            "X-Forwarded-For": VISITOR,
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
            environ_overrides={"REMOTE_ADDR": VISITOR, **overrides},
        )
        try:
            environ = builder.get_environ()
        finally:
            builder.close()
        # The request must not run inside of the context that the check runs in.
        return contextvars.Context().run(self._run, environ)

    def _run(self, environ: dict[str, t.Any]) -> Reply:
        try:
            chunks, status, headers = run_wsgi_app(self._app, environ, buffered=True)
            return Reply(
                int(status.split()[0]),
                {name.lower(): ", ".join(headers.getlist(name)) for name, _ in headers},
                b"".join(chunks),
            )
        except Exception as error:
            # An application in debug or testing mode passes it on.
            raise Unreachable(
                f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} raised"
                f" {type(error).__name__}: {error}"
            ) from error


class _Stream:
    """The input of a request that is made of pieces."""

    def __init__(self, body: Pieces) -> None:
        self._pieces = iter(body.pieces)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes, and none at the end."""
        if size < 0:
            return self._rest + b"".join(self._pieces)
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def readinto(self, buffer: memoryview) -> int:
        """Fill as much of a buffer as there is, and return how much."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readline(self, size: int = -1) -> bytes:
        """Return a line; nobody asks for one here."""
        return self.read(size)
