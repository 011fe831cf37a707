"""Requests to one registry: credentials, redirects and retries."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from contextlib import closing
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin
from urllib.parse import urlsplit

import urllib3

from ...errors import RegistryError
from ...spec.json_object import read_object
from ...storage.protocol import PIECE
from ..base import Interrupted
from ..base import TransferError
from . import credentials
from .address import ImageAddress
from .authorization import Authorization
from .connections import Connections
from .connections import TIMEOUT
from .credentials import Login
from .guard import ChooseAddresses
from .origin import is_secure
from .origin import UrlOrigin
from .retry import ATTEMPTS
from .retry import finish
from .retry import MAX_ANSWER
from .retry import pause
from .retry import reason
from .retry import Response
from .retry import retry_after
from .token_requests import AGENT
from .token_requests import TokenRequest

#: Statuses after which a request is retried.
AGAIN: t.Final = frozenset({408, 429, 500, 502, 503, 504})

REDIRECTS: t.Final = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS: t.Final = 5


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """The behaviour of a client of a registry; by default, that of ``flask oci copy``.

    :param token_hosts: the hosts that the user trusts with the credentials.
    :param remedy: how the user trusts another host.
    :param find_login: returns the credentials for a registry, or None.
    :param choose: selects the addresses that may be connected to; None allows all.
    :param timeout: the timeouts of each request.
    :param attempts: the number of attempts for each request.
    """

    token_hosts: Collection[str] = ()
    remedy: str = "'--token-host {}'"
    find_login: Callable[[str], Login | None] = credentials.find
    choose: ChooseAddresses | None = None
    timeout: urllib3.Timeout = TIMEOUT
    attempts: int = ATTEMPTS


class Session:
    """A client of one registry.

    :param address: a repository of the registry.
    :param options: the credentials and limits.
    """

    def __init__(
        self, address: ImageAddress, options: SessionOptions = SessionOptions()
    ) -> None:
        self._address = address
        self.attempts = options.attempts
        self.origin = UrlOrigin.of(address.url)
        self._connections = Connections(options.choose, options.timeout)
        self._authorization = Authorization(
            address,
            self._fetch_token,
            options.token_hosts,
            options.find_login,
            options.remedy,
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        expected: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """Send a request, with retries, and return the response.

        :param url: a URL, or a path of the registry.
        :param scope: the scope that a token needs.
        :param expected: the statuses that are no error. The body of such a response is
            not read yet.
        :raises Interrupted: if the registry does not respond, or fails temporarily.
        :raises TransferError: for any other status.
        """
        for attempt in range(self.attempts):
            last = attempt == self.attempts - 1
            try:
                response = self._authorized(method, url, scope, headers, body)
            except urllib3.exceptions.HTTPError as error:
                if last:
                    raise self._silent(error) from error
                pause(attempt)
            else:
                if response.status in expected:
                    return response
                if last or response.status not in AGAIN:
                    raise self._refusal(method, url, response)
                pause(attempt, retry_after(response))
                finish(response)
        raise AssertionError("the last attempt returns or raises")

    def fetch(
        self,
        url: str,
        *,
        scope: str,
        limit: int,
        expected: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Response, bytes]:
        """Send a GET request, and return the response with its small body. If the body
        breaks off, send the request again.

        :param limit: the largest size of the body, in bytes.
        :param expected: the statuses that are no error. Only the body of a response
            with the status 200 is read.
        """
        for attempt in range(self.attempts):
            response = self.request(
                "GET", url, scope=scope, expected=expected, headers=headers
            )
            if response.status != 200:
                finish(response)
                return response, b""
            try:
                return response, self.read(response, limit)
            except Interrupted:
                if attempt == self.attempts - 1:
                    raise
                pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    def stream(
        self, method: str, url: str, *, scope: str, body: t.Any, size: int
    ) -> Response:
        """Send a request with a body that can be read once, without retries.

        :param size: the size of the body, in bytes.
        :raises Interrupted: if another attempt may succeed.
        """
        headers = {
            "Content-Length": str(size),
            "Content-Type": "application/octet-stream",
        }
        used = self._authorization.get(scope)
        try:
            response = self._send(method, self.absolute(url), scope, headers, body)
            if response.status == 401:
                # The token may have expired; the next attempt uses a new one.
                with closing(response):
                    self._authorization.answer(response, scope, used)
                raise Interrupted(f"{self._address.host} requires new credentials.")
        except urllib3.exceptions.HTTPError as error:
            raise self._silent(error) from error
        if response.status in AGAIN:
            raise Interrupted(str(self._refusal(method, url, response)))
        return response

    def absolute(self, url: str, base: str = "") -> str:
        """Return the absolute URL of a path or a ``Location``.

        :param base: the base URL; by default the registry's.
        :raises TransferError: if it is invalid, or without TLS while the registry uses
            TLS.
        """
        with suppress(ValueError):
            target = urljoin(base or f"{self._address.url}/", url)
            if is_secure(target, self.origin):
                return target
        raise TransferError(
            f"{self._address.host} redirects to '{url}', which is invalid or without"
            " TLS."
        )

    def read(self, response: Response, limit: int) -> bytes:
        """Read a small response.

        :raises TransferError: if it has more than ``limit`` bytes.
        """
        try:
            return self._read(response, limit)
        except urllib3.exceptions.HTTPError as error:
            response.close()
            raise self._silent(error) from error

    def _read(self, response: Response, limit: int) -> bytes:
        pieces, length = [], 0
        while piece := response.read(PIECE):
            pieces.append(piece)
            length += len(piece)
            if length > limit:
                response.close()
                raise TransferError(
                    f"{self._address.host} answers with more than {limit} bytes."
                )
        response.release_conn()
        return b"".join(pieces)

    def _authorized(
        self,
        method: str,
        url: str,
        scope: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
    ) -> Response:
        """Send a request, and repeat it with a token if the registry asks for one."""
        target, authorization = self.absolute(url), self._authorization
        used = authorization.get(scope)
        response = self._send(method, target, scope, headers, body)
        try:
            if response.status == 401 and authorization.answer(response, scope, used):
                response = self._send(method, target, scope, headers, body)
        except BaseException:
            response.close()
            raise
        return response

    def _send(
        self,
        method: str,
        url: str,
        scope: str,
        headers: Mapping[str, str] | None,
        body: t.Any,
    ) -> Response:
        """Send a request and follow redirects. Credentials are only sent to the
        registry itself, not to hosts that it redirects to."""
        for _ in range(MAX_REDIRECTS):
            sent = {"User-Agent": AGENT, **(headers or {})}
            authorization = self._authorization.get(scope)
            if authorization and UrlOrigin.of(url) == self.origin:
                sent["Authorization"] = authorization
            response = self._connections.request(method, url, sent, body)
            location = response.headers.get("Location")
            if response.status == 401 and UrlOrigin.of(url) != self.origin:
                # The other host must not choose a token service either.
                raise self._refusal(method, url, response)
            if response.status not in REDIRECTS or location is None:
                return response
            if method not in ("GET", "HEAD"):
                raise TransferError(
                    f"{url} redirects a request that must not be redirected."
                )
            finish(response)
            url = self.absolute(location, url)
        raise TransferError(f"{url} redirects too often.")

    def _fetch_token(self, request: TokenRequest) -> str:
        response = self._connections.request(
            request.method, request.url, request.headers, request.body
        )
        if response.status != 200:
            url = request.url.partition("?")[0]
            raise self._refusal(request.method, url, response)
        try:
            # The request that needs the token is retried, and asks again.
            fields = read_object(self._read(response, MAX_ANSWER))
            return str(fields.get("token") or fields["access_token"])
        except (RegistryError, KeyError) as error:
            raise TransferError(
                f"The token service of {self._address.host} returned no token."
            ) from error

    def _refusal(self, method: str, url: str, response: Response) -> TransferError:
        """Return the error for a refused request, with the remedy."""
        said = ""
        with suppress(TransferError, RegistryError, LookupError, AttributeError):
            error = read_object(self.read(response, MAX_ANSWER))["errors"][0]
            said = f": {error.get('message') or error.get('code')}"
        response.close()
        host, path = self._address.host, urlsplit(url).path
        hint = ""
        if response.status in (401, 403):
            hint = f" Log in with 'docker login {host}'."
        kind = Interrupted if response.status in AGAIN else TransferError
        text = f"{host} answers {response.status} to {method} {path}{said[:300]}."
        refusal = kind(text + hint)
        refusal.status = response.status
        return refusal

    def _silent(self, error: Exception) -> Interrupted:
        return Interrupted(f"{self._address.host} does not respond: {reason(error)}.")
