"""Origins of URLs, and the token services that may receive credentials of a registry.

A registry names its token service in a challenge, and hosts of downloads in redirects.
A forged or a malicious response could name another host to collect passwords there
(CVE-2026-33540).
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Collection

from urllib3.util import parse_url

from ...config.upstreams import HUB_ENDPOINT
from .address import is_loopback

_DEFAULT_PORTS: t.Final = {"https": 443, "http": 80}

#: Registries whose token service has a name beside theirs: the host of the registry,
#: and that of the service.
KNOWN_PAIRS: t.Final = frozenset({(HUB_ENDPOINT, "auth.docker.io")})


class UrlOrigin(t.NamedTuple):
    """The scheme, host and port of a URL (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> UrlOrigin:
        """Return the origin of an absolute URL.

        urllib3 reads the URL, as it does for the connection. Another parser may read
        another host: ``urlsplit`` takes the name after the ``@`` in ``http://a\\@b/``,
        and urllib3 connects to ``a``.

        :raises ValueError: if the URL is invalid, or contains a user name.
        """
        parts = parse_url(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme or "")
        if "\\" in url or parts.auth is not None or not parts.host or port is None:
            raise ValueError(url)
        host = parts.host.strip("[]").rstrip(".").lower()
        return cls(str(parts.scheme), host, port)

    @property
    def netloc(self) -> str:
        """The host, and the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == _DEFAULT_PORTS[self.scheme]
        return host if is_default else f"{host}:{self.port}"


def is_secure(url: str, registry: UrlOrigin) -> bool:
    """Return True for a URL with TLS. If the registry has no TLS, URLs without TLS on
    its origin and on this machine are secure as well."""
    try:
        target = UrlOrigin.of(url)
    except ValueError:
        return False
    if target.scheme == "https" or registry.scheme == "https":
        return target.scheme == "https"
    return target == registry or is_loopback(target.netloc)


def may_receive_credentials(
    service: UrlOrigin, registry: UrlOrigin, token_hosts: Collection[str]
) -> bool:
    """Return True if a token service may receive the credentials of a registry.

    This is the origin of the registry itself; with TLS, the same host at another port,
    a name above it and a name below it; a known pair; and a host that the user trusts.
    Two names below the same domain are not enough: without a list of the suffixes below
    which names are sold, ``a.co.uk`` and ``b.co.uk`` seem to have one owner.

    :param token_hosts: the hosts that the user trusts, each with its port unless it is
        the scheme's own.
    """
    if service == registry or service.netloc in {host.lower() for host in token_hosts}:
        return True
    if service.scheme != "https":
        return False
    names = registry.host, service.host
    return names in KNOWN_PAIRS or _have_one_owner(*names)


def _have_one_owner(first: str, second: str) -> bool:
    """Return True if one name is the other or a name below it. The owner of a domain
    controls all names below it."""
    short, long = sorted((first, second), key=len)
    if _is_address(first) or _is_address(second) or "." not in short:
        return False
    return long == short or long.endswith(f".{short}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
