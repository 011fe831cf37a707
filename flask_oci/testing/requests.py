"""Requests to an application, without a server."""

from __future__ import annotations

import base64
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping
from urllib.parse import urlencode

from werkzeug.datastructures import Headers
from werkzeug.test import Client
from werkzeug.test import EnvironBuilder

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from werkzeug.test import TestResponse

Query = Mapping[str, "str | Iterable[str]"]

#: The WSGI environment of a body without Content-Length.
CHUNKED: t.Final[Mapping[str, object]] = {
    "CONTENT_LENGTH": "",
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
}

#: The address of the client.
_CALLER: t.Final[Mapping[str, str]] = {
    "HTTP_USER_AGENT": "flask_oci.testing",
    "REMOTE_ADDR": "127.0.0.1",
}


def basic(username: str, password: str) -> str:
    """Return an ``Authorization`` header with a password."""
    secret = base64.b64encode(f"{username}:{password}".encode()).decode()
    return f"Basic {secret}"


def with_query(location: str, **query: str) -> str:
    """Add parameters to a location, which may already have some."""
    return f"{location}{'&' if '?' in location else '?'}{urlencode(query)}"


class Requests:
    """An HTTP client of an application, without cookies.

    :param app: the application, with its middlewares.
    :param authorization: the header of every request, if any.
    :param url: the address of the application, as the client knows it.
    """

    def __init__(
        self,
        app: WSGIApplication,
        authorization: str | None = None,
        url: str = "http://localhost",
    ) -> None:
        self.app = app
        self.authorization = authorization
        self.url = url
        self._client = Client(app, use_cookies=False)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
        chunked: bool = False,
        environ: Mapping[str, object] | None = None,
        buffered: bool = True,
    ) -> TestResponse:
        """Send one request, and return the response.

        :param path: the path, or a URL such as that of the token service.
        :param chunked: whether to send the body without Content-Length.
        :param environ: keys that override the WSGI environment.
        :param buffered: whether to read and close the response; if False, the caller
            closes it.
        """
        if query:
            path = f"{path}{'&' if '?' in path else '?'}{urlencode(query, doseq=True)}"
        base, path = self._address(path)
        sent = Headers(self._credentials())
        sent.update(headers or {})
        builder = EnvironBuilder(
            path=path,
            base_url=base,
            method=method,
            headers=sent,
            data=body,
            environ_base=_CALLER,
            environ_overrides={**(CHUNKED if chunked else {}), **(environ or {})},
        )
        try:
            return self._client.open(builder, buffered=buffered)
        finally:
            builder.close()

    def request(
        self, method: str, path: str, body: bytes | None = None, **kwargs: t.Any
    ) -> TestResponse:
        """Send a request; subclasses add further requests, such as a login.

        :param kwargs: as for :meth:`send`.
        """
        return self.send(method, path, body, **kwargs)

    def get(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a GET request."""
        return self.request("GET", path, **kwargs)

    def head(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a HEAD request."""
        return self.request("HEAD", path, **kwargs)

    def post(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a POST request."""
        return self.request("POST", path, body, **kw)

    def put(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a PUT request."""
        return self.request("PUT", path, body, **kw)

    def patch(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a PATCH request."""
        return self.request("PATCH", path, body, **kw)

    def delete(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a DELETE request."""
        return self.request("DELETE", path, **kwargs)

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": self.authorization} if self.authorization else {}

    def _address(self, path: str) -> tuple[str, str]:
        if not path.startswith(("http://", "https://")):
            return self.url, path
        # The part before /v2 is the mount point of the application.
        base, slash, rest = path.partition("/v2/")
        return base, slash + rest
