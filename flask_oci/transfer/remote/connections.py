"""Connections to other registries, directly or through a proxy.

As with other clients, the environment variables ``HTTP_PROXY``, ``HTTPS_PROXY``,
``ALL_PROXY`` and ``NO_PROXY`` name the proxy and the exceptions.
"""

from __future__ import annotations

import ipaddress
import typing as t
from contextlib import suppress
from urllib.parse import unquote
from urllib.request import getproxies_environment

import urllib3
from urllib3.util import make_headers
from urllib3.util import parse_url

from ...storage.protocol import PIECE
from ..base import TransferError
from .address import is_loopback
from .guard import ChooseAddresses
from .guard import use_guard
from .origin import UrlOrigin
from .retry import Response

#: The timeouts for a connection and for the next bytes, in seconds.
TIMEOUT: t.Final = urllib3.Timeout(connect=15, read=120)

#: The options of each pool.
_OPTIONS: t.Final[dict[str, t.Any]] = {
    "maxsize": 16,
    "blocksize": PIECE,
    "timeout": TIMEOUT,
    "retries": False,
}


class Connections:
    """The connections of one client. Each goes through the proxy of its URL.

    :param choose: selects the addresses that may be connected to directly. A proxy
        resolves names itself, so it has to restrict addresses itself, too.
    :param timeout: the timeouts of each request.
    :raises TransferError: if the environment names an invalid proxy.
    """

    def __init__(
        self,
        choose: ChooseAddresses | None = None,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        self._proxies = getproxies_environment()
        self._choose = choose
        self._timeout = timeout
        self._direct = urllib3.PoolManager(**_OPTIONS)
        if choose is not None:
            use_guard(self._direct, choose)
        self._proxied = {
            scheme: _proxy_manager(self._proxies[scheme])
            for scheme in ("http", "https", "all")
            if self._proxies.get(scheme)
        }

    def request(
        self, method: str, url: str, headers: dict[str, str], body: t.Any = None
    ) -> Response:
        """Send a request, and return the response without reading its body.

        :raises urllib3.exceptions.HTTPError: if there is no response.
        """
        pool = self._pool(UrlOrigin.of(url))
        if self._choose is not None and pool is not self._direct:
            self._check_literal(UrlOrigin.of(url).host)
        return pool.urlopen(
            method,
            url,
            body=body,
            headers=headers,
            redirect=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=False,
        )

    def uses_proxy(self, url: str) -> bool:
        """Return True if requests to a URL go through a proxy."""
        return self._pool(UrlOrigin.of(url)) is not self._direct

    def _pool(self, target: UrlOrigin) -> urllib3.PoolManager:
        proxied = self._proxied.get(target.scheme) or self._proxied.get("all")
        if proxied is None or is_loopback(target.netloc) or self._is_exempt(target):
            return self._direct
        return proxied

    def _check_literal(self, host: str) -> None:
        """Check a host that is an address, before a proxy connects to it."""
        with suppress(ValueError):
            literal = ipaddress.ip_address(host)
            if self._choose is not None:
                self._choose([str(literal)])

    def _is_exempt(self, target: UrlOrigin) -> bool:
        entries = self._proxies.get("no", "").lower().split(",")
        return any(_covers(entry.strip(), target) for entry in entries)


def _covers(entry: str, target: UrlOrigin) -> bool:
    """Return True if an entry of ``NO_PROXY`` has the name, with or without the port, a
    domain or a network of a host; ``*`` has every host."""
    try:
        return ipaddress.ip_address(target.host) in ipaddress.ip_network(entry, False)
    except ValueError:
        name = entry.removeprefix("*").removeprefix(".")
    names = (target.host, f"{target.host}:{target.port}")
    return entry == "*" or any(
        name and (each == name or each.endswith(f".{name}")) for each in names
    )


def _proxy_manager(url: str) -> urllib3.ProxyManager:
    """Return the connections through a proxy. Errors do not show its password."""
    try:
        parts = parse_url(url if "://" in url else f"http://{url}")
    except ValueError:
        parts = parse_url("")
    if parts.scheme not in ("http", "https") or not parts.host:
        raise TransferError(
            "The environment names an invalid proxy: use 'http://HOST:PORT' or"
            " 'https://HOST:PORT'."
        )
    headers = {}
    if parts.auth:
        headers = make_headers(proxy_basic_auth=unquote(parts.auth))
    address = parts._replace(auth=None, path=None, query=None, fragment=None).url
    return urllib3.proxy_from_url(address, proxy_headers=headers, **_OPTIONS)
