"""Requests to an application, without a server between."""

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

#: What a server makes of a body without a length.
CHUNKED: t.Final[Mapping[str, object]] = {
    "CONTENT_LENGTH": "",
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
}

#: Where a request comes from.
_CALLER: t.Final[Mapping[str, str]] = {
    "HTTP_USER_AGENT": "flask_oci.testing",
    "REMOTE_ADDR": "127.0.0.1",
}


def basic(username: str, password: str) -> str:
    """Write an ``Authorization`` header with a password."""
    secret = base64.b64encode(f"{username}:{password}".encode()).decode()
    return f"Basic {secret}"


def with_query(location: str, **query: str) -> str:
    """Append parameters to a location that may have some."""
    return f"{location}{'&' if '?' in location else '?'}{urlencode(query)}"


class Requests:
    """Somebody who talks HTTP to an application, and keeps no cookies.

    :param app: the application, with whatever stands in front of it.
    :param authorization: the header that every request carries, if any.
    :param url: how the client spells the application's address.
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
        """Send one request, and return the answer, whatever it is.

        :param path: the path, or an address such as the one of the token service.
        :param chunked: whether the body comes as it does from a client that does
            not announce its length.
        :param environ: keys of the WSGI environment, behind all others.
        :param buffered: whether to read the answer to its end and close it; who
            says no has to close it.
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
        """Do what the client does to be answered, which is to send one request.

        :param kwargs: as for :meth:`send`.
        """
        return self.send(method, path, body, **kwargs)

    def get(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a GET."""
        return self.request("GET", path, **kwargs)

    def head(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a HEAD."""
        return self.request("HEAD", path, **kwargs)

    def post(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a POST."""
        return self.request("POST", path, body, **kw)

    def put(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a PUT."""
        return self.request("PUT", path, body, **kw)

    def patch(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a PATCH."""
        return self.request("PATCH", path, body, **kw)

    def delete(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a DELETE."""
        return self.request("DELETE", path, **kwargs)

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": self.authorization} if self.authorization else {}

    def _address(self, path: str) -> tuple[str, str]:
        if not path.startswith(("http://", "https://")):
            return self.url, path
        # What stands before /v2 is where the application is mounted.
        base, slash, rest = path.partition("/v2/")
        return base, slash + rest
