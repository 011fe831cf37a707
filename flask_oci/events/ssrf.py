"""Protection against server-side request forgery (SSRF) by webhooks and upstreams.

A user who names an address for the server to call could otherwise reach services that
only the server can reach: its neighbours, the routers of its network, and the address
at which clouds issue credentials.
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterator
from collections.abc import Sequence
from urllib.parse import urlsplit

if t.TYPE_CHECKING:
    from ..config.parsers import Network

IPAddress: t.TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

#: Networks that are not public, and that some versions of Python take for public.
_NOT_PUBLIC: t.Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",
            # The address that issues credentials to virtual machines in Azure.
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

#: The part of IPv6 in which public addresses are assigned.
_UNICAST: t.Final = ipaddress.IPv6Network("2000::/3")

#: IPv6 addresses that are translated to the IPv4 address in their last 32 bits.
_TRANSLATED: t.Final = ipaddress.IPv6Network("64:ff9b::/96")

_LONGEST_URL = 2000


class Forbidden(Exception):
    """The address of a webhook is not allowed."""


def check_url(
    url: str, allowed: Sequence[Network], setting: str = "OCI_WEBHOOK_NETWORKS"
) -> None:
    """Check the address of a webhook when it is added.

    Each delivery resolves the host name and checks the result again.

    :param url: the address.
    :param allowed: the networks that the operator allows.
    :param setting: where the operator allows them.
    :raises ValueError: if it is not an HTTP address, has a password, or names a literal
        address that is neither public nor allowed.
    """
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable():
        raise ValueError(
            "Invalid webhook address: use printable ASCII characters, without spaces."
        )
    parts = urlsplit(url)
    if " " in url or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            "Invalid webhook address: use one like 'https://example.org/hook'."
        )
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("Invalid webhook address: remove the password and the '#'.")
    if parts.port == 0:
        raise ValueError("Invalid webhook address: port 0 does not exist.")
    try:
        literal = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not may_reach(literal, allowed):
        raise ValueError(
            f"{parts.hostname} is not a public address. An operator can allow its"
            f" network with {setting}, such as"
            f' ["{_network_of(literal)}"].'
        )


def _network_of(address: IPAddress) -> str:
    """Return the network that has only this address."""
    return f"{address}/{address.max_prefixlen}"


def choose(
    found: Sequence[str],
    allowed: Sequence[Network],
    setting: str = "OCI_WEBHOOK_NETWORKS",
) -> list[str]:
    """Return the resolved addresses that the server may connect to.

    :param found: the addresses of a host name.
    :param allowed: the networks that the operator allows.
    :param setting: where the operator allows them.
    :raises Forbidden: if none is allowed.
    """
    good = [
        address
        for address in found
        # A "%" and the name of a network interface follow a link-local address.
        if may_reach(ipaddress.ip_address(address.partition("%")[0]), allowed)
    ]
    if not good:
        raise Forbidden(
            f"{', '.join(sorted(set(found)))} is not a public address, nor in"
            f" {setting}."
        )
    return good


def may_reach(address: IPAddress, allowed: Sequence[Network]) -> bool:
    """Return True if a delivery may connect to an address."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(_within(address, network) for network in allowed):
        return True
    return all(map(_is_public, _ways(address)))


def _ways(address: IPAddress) -> Iterator[IPAddress]:
    """Yield the addresses to which a packet to this address can be forwarded."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
            return
        if address.sixtofour is not None:
            yield address.sixtofour
    yield address


def _is_public(address: IPAddress) -> bool:
    if any(_within(address, network) for network in _NOT_PUBLIC):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return address in _UNICAST and address.is_global
    return address.is_global and not address.is_multicast


def _within(address: IPAddress, network: Network) -> bool:
    return address.version == network.version and address in network
