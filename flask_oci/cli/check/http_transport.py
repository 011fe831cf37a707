"""Requests through the public address, as a client sends them."""

from __future__ import annotations

import http.client
import ssl
import typing as t
from contextlib import contextmanager
from contextlib import suppress
from datetime import datetime
from datetime import timezone
from urllib.parse import urlsplit

from .transport import MOST_BYTES
from .transport import Reply
from .transport import StreamedBody
from .transport import Unreachable

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

#: The timeout of a request, in seconds.
TIMEOUT: t.Final = 30.0

#: How long to wait for a refusal of an announced body, in seconds.
REFUSAL_TIMEOUT: t.Final = 2.0


class HttpTransport:
    """Sends each request over its own connection.

    :param url: the root of the application.
    :param cafile: the trusted certificates; None uses the system's.
    """

    def __init__(self, url: str, cafile: str | None = None) -> None:
        parts = urlsplit(url)
        self.name = url
        self.cafile = cafile
        self.secure = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port
        self._tls = ssl.create_default_context(cafile=cafile) if self.secure else None

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | StreamedBody | None = None,
    ) -> Reply:
        """Send a request, and return the response."""
        with self._connection(method, path) as connection:
            self._begin(connection, method, path, headers or {}, _length(body))
            # A server that closes the connection during the body may have answered.
            with suppress(BrokenPipeError, ConnectionResetError):
                _send(connection, body)
            return _read(connection.getresponse())

    def announce(
        self, method: str, path: str, length: int, headers: Mapping[str, str]
    ) -> Reply | None:
        """Announce a body, and send none of it."""
        with self._connection(method, path) as connection:
            self._begin(connection, method, path, headers, str(length))
            connection.sock.settimeout(REFUSAL_TIMEOUT)
            try:
                return _read(connection.getresponse())
            except TimeoutError:
                return None

    def certificate_ends(self) -> datetime | None:
        """Return the expiry of the certificate, or None without TLS.

        :raises Unreachable: if no server responds.
        """
        if self._tls is None:
            return None
        with self._connection("GET", "/v2/") as connection:
            connection.connect()
            found = t.cast(ssl.SSLSocket, connection.sock).getpeercert() or {}
        ends = ssl.cert_time_to_seconds(str(found["notAfter"]))
        return datetime.fromtimestamp(ends, timezone.utc)

    @contextmanager
    def _connection(
        self, method: str, path: str
    ) -> Iterator[http.client.HTTPConnection]:
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(
                self.host, self.port, timeout=TIMEOUT
            )
        try:
            yield connection
        except (OSError, http.client.HTTPException) as error:
            words = str(error) or type(error).__name__
            raise Unreachable(f"{method} {path.partition('?')[0]}: {words}") from error
        finally:
            connection.close()

    def _begin(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        length: str | None,
    ) -> None:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("User-Agent", "flask-oci-check")
        for name, value in headers.items():
            connection.putheader(name, value)
        if length == "chunked":
            connection.putheader("Transfer-Encoding", length)
        elif length is not None:
            connection.putheader("Content-Length", length)
        connection.endheaders()


def _length(body: bytes | StreamedBody | None) -> str | None:
    if body is None:
        return None
    if isinstance(body, bytes):
        return str(len(body))
    return "chunked" if body.length is None else str(body.length)


def _send(
    connection: http.client.HTTPConnection, body: bytes | StreamedBody | None
) -> None:
    if isinstance(body, bytes):
        connection.send(body)
    elif body is not None:
        for chunk in body.chunks:
            if body.length is not None:
                connection.send(chunk)
            else:
                connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if body.length is None:
            connection.send(b"0\r\n\r\n")


def _read(response: http.client.HTTPResponse) -> Reply:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        known = headers.get(name.lower())
        headers[name.lower()] = f"{known}, {value}" if known else value
    return Reply(response.status, headers, response.read(MOST_BYTES))
