"""Which addresses webhooks may have.

Whoever can name an address for the server to call could otherwise have it call what
only the server can reach: the services beside it, the routers of its network, and the
address at which clouds hand out credentials.
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterator
from collections.abc import Sequence
from urllib.parse import urlsplit

if t.TYPE_CHECKING:
    from ..config.parsers import Network

Address: t.TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

#: What is not public and that not every version of Python knows for it.
_NOT_PUBLIC: t.Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",
            # What machines at Azure ask for credentials.
            "168.63.129.16/32",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "240.0.0.0/4",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
        ),
    )
)

#: The part of the sixth version in which public addresses are given out.
_UNICAST: t.Final = ipaddress.IPv6Network("2000::/3")

#: Addresses whose last 32 bits are one of the fourth version, and lead there.
_TRANSLATED: t.Final = ipaddress.IPv6Network("64:ff9b::/96")

_LONGEST_URL = 2000


class Forbidden(Exception):
    """A webhook is where it must not be."""


def check_url(url: str, allowed: Sequence[Network]) -> None:
    """Refuse an address that no webhook can have.

    What its name stands for is looked at each time it is called.

    :raises ValueError: for anything but an address of HTTP, and for one with a password
        in it, or a literal address that is not public.
    """
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable():
        raise ValueError("An address is of printable ASCII characters, without spaces.")
    parts = urlsplit(url)
    if " " in url or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("A webhook has an address such as 'https://example.org/hook'.")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("A webhook's address has no password and no '#' in it.")
    if parts.port == 0:
        raise ValueError("There is no port 0.")
    try:
        literal = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not may_reach(literal, allowed):
        raise ValueError(
            f"{parts.hostname} is not a public address. If the webhook is meant to be"
            " there, put its network into OCI_WEBHOOK_NETWORKS."
        )


def choose(found: Sequence[str], allowed: Sequence[Network]) -> list[str]:
    """Return those of a name's addresses that may be called.

    :raises Forbidden: when there is none.
    """
    good = [
        address
        for address in found
        # Behind a "%" is which network a local address is on.
        if may_reach(ipaddress.ip_address(address.partition("%")[0]), allowed)
    ]
    if not good:
        raise Forbidden(
            f"{', '.join(sorted(set(found)))} is not a public address, nor in"
            " OCI_WEBHOOK_NETWORKS."
        )
    return good


def may_reach(address: Address, allowed: Sequence[Network]) -> bool:
    """Tell whether a webhook may have an address."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(_within(address, network) for network in allowed):
        return True
    return all(map(_is_public, _ways(address)))


def _ways(address: Address) -> Iterator[Address]:
    """Go through the addresses that a packet to this one may be passed on to."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
            return
        if address.sixtofour is not None:
            yield address.sixtofour
    yield address


def _is_public(address: Address) -> bool:
    if any(_within(address, network) for network in _NOT_PUBLIC):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return address in _UNICAST and address.is_global
    return address.is_global and not address.is_multicast


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network
