"""HTTP client for webhooks and for the documents of issuers of identity tokens.

The client resolves a host name once, checks the addresses and connects to them, because
a second resolution could return other addresses. It follows no redirect and uses no
proxy of the environment. Of a response to a webhook, it reads only the status.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ..catalog.deliveries import Outcome
from . import ssrf

if t.TYPE_CHECKING:
    from ..config.parsers import Network

_DEFAULT_PORTS: t.Final = {"http": 80, "https": 443}

_HIDDEN: t.Final = "The host name has no address that webhooks of users may reach."

#: The longest reason in the log of attempts, in characters.
_LONGEST_REASON: t.Final = 255


def send(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Sequence[Network],
    timeout: float,
    hides_addresses: bool = False,
) -> Outcome:
    """Send a POST request, and return its outcome.

    :param url: the address of a webhook.
    :param body: the bytes to send.
    :param headers: the headers to send.
    :param allowed: the networks of ``OCI_WEBHOOK_NETWORKS``.
    :param timeout: the time limit of the whole request without name resolution, in
        seconds.
    :param hides_addresses: whether the outcome says neither to which addresses the host
        name resolves nor whether it exists. The names of a private network are hidden
        from users.
    """
    started = time.monotonic()
    status, error = None, None
    try:
        status = _request("POST", url, body, headers, allowed, timeout)
        if not 200 <= status < 300:
            error = f"It answered {status}."
    except (ssrf.Forbidden, socket.gaierror) as refused:
        error = _HIDDEN if hides_addresses else _reason(refused)
    except (OSError, http.client.HTTPException, ValueError) as failed:
        error = _reason(failed)
    milliseconds = round(1000 * (time.monotonic() - started))
    return Outcome(status, error[:_LONGEST_REASON] if error else None, milliseconds)


def _reason(error: Exception) -> str:
    """Return the text of an error."""
    if isinstance(error, ssrf.Forbidden):
        return str(error)
    return f"{type(error).__name__}: {error}"


class Document(t.NamedTuple):
    """A document of another server."""

    content: bytes
    clock_skew: float | None
    """How many seconds the server's clock is ahead of this machine's, or None if it is
    unknown."""


class FetchFailed(Exception):
    """A document cannot be read; the message has the reason."""


def fetch(
    url: str,
    *,
    allowed: Sequence[Network],
    timeout: float,
    most: int,
    setting: str,
) -> Document:
    """Return the document at an address.

    :param url: the address, with ``http`` or ``https``.
    :param allowed: the networks that are not public and that it may be in.
    :param timeout: the time limit of the whole request without name resolution, in
        seconds.
    :param most: the maximum size of the document, in bytes.
    :param setting: where the operator allows networks, for the message.
    :raises FetchFailed: if the address is not allowed, or does not answer with 200 and
        such a document in time.
    """
    received: list[Document] = []

    def read(response: http.client.HTTPResponse) -> None:
        skew = _clock_skew(response.headers.get("Date"))
        received.append(Document(response.read(most + 1), skew))

    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        status = _request(
            "GET", url, None, headers, allowed, timeout, setting=setting, read=read
        )
    except ssrf.Forbidden as refused:
        raise FetchFailed(str(refused)) from None
    except (OSError, http.client.HTTPException, ValueError) as failed:
        raise FetchFailed(f"{type(failed).__name__}: {failed}") from None
    if 300 <= status < 400:
        raise FetchFailed(f"It answered {status}; redirects are not followed.")
    if status != 200:
        raise FetchFailed(f"It answered {status}.")
    if len(received[0].content) > most:
        raise FetchFailed(f"It has more than {most} bytes.")
    return received[0]


def _clock_skew(date: str | None) -> float | None:
    """Return how many seconds a server's clock is ahead, by its ``Date`` header."""
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return None


def _ignore(response: http.client.HTTPResponse) -> None:
    """Read no body."""


def _request(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    allowed: Sequence[Network],
    timeout: float,
    *,
    setting: str = "OCI_WEBHOOK_NETWORKS",
    read: Callable[[http.client.HTTPResponse], None] = _ignore,
) -> int:
    """Send a request, and return the status of the response.

    :param read: reads the body of a response, within the time limit.
    """
    parts = urlsplit(url)
    name = parts.hostname or ""
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    addresses = ssrf.choose(look_up(name, port), allowed, setting)
    connection = _Connection(name, port)
    secure = parts.scheme == "https"
    connection.prepare(addresses, secure=secure, seconds=timeout)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # The timeout of a socket limits each call; this timer limits the whole request.
    alarm = threading.Timer(timeout, connection.give_up)
    alarm.daemon = True
    alarm.start()
    try:
        connection.request(method, path, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        read(response)
        return response.status
    except (OSError, http.client.HTTPException):
        if connection.too_late:
            raise TimeoutError(f"no response within {timeout:g} s") from None
        raise
    finally:
        alarm.cancel()
        connection.close()


def look_up(name: str, port: int) -> list[str]:
    """Return the addresses of a host.

    :raises OSError: if it has none.
    """
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Connection(http.client.HTTPConnection):
    """A connection to addresses that were checked."""

    too_late = False
    seconds = 0.0
    _addresses: Sequence[str] = ()
    _secure = False

    def prepare(
        self, addresses: Sequence[str], *, secure: bool, seconds: float
    ) -> None:
        """Set the addresses, TLS and the time limit in seconds."""
        self._addresses, self._secure, self.seconds = addresses, secure, seconds
        if secure:
            self.default_port = _DEFAULT_PORTS["https"]

    def connect(self) -> None:
        """Connect to the first address that responds. Each has a share of the time."""
        deadline = time.monotonic() + self.seconds
        for left in range(len(self._addresses), 0, -1):
            share = max(deadline - time.monotonic(), 0.001) / left
            try:
                place = (self._addresses[-left], self.port)
                self.sock = socket.create_connection(place, share)
                break
            except OSError:
                if left == 1:
                    raise
        self.sock.settimeout(self.seconds)
        if self.too_late:
            # The timer ended before there was a socket to shut down.
            raise TimeoutError
        if self._secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

    def give_up(self) -> None:
        """Abort the request, from the thread of the timer."""
        self.too_late = True
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)
