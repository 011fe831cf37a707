"""Addresses of images, as users type them."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Collection

from ...config.upstreams import HUB_ENDPOINT
from ...config.upstreams import HUB_HOSTS
from ...spec.reference import split_image
from ..base import TransferError

#: A host name or an address in brackets, with an optional port.
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:]{2,39}\])"
    r"(?::[0-9]{1,5})?",
    re.ASCII,
)


class ImageAddress(t.NamedTuple):
    """An image, or a repository, of a registry."""

    host: str | None
    """The registry, and its port; None is this one."""

    name: str
    reference: str | None
    """A tag or a digest."""

    scheme: str = "https"

    @property
    def url(self) -> str:
        """The URL of the registry."""
        host = HUB_ENDPOINT if self.host in HUB_HOSTS else self.host
        return f"{self.scheme}://{host}"


def parse_address(text: str, plain_http_hosts: Collection[str] = ()) -> ImageAddress:
    """Parse ``[HOST/]NAME[:TAG|@DIGEST]``.

    As with Docker, the first component is a host if it contains a dot or a colon, or is
    ``localhost``; without a host, the image is in this registry. ``https://`` or
    ``http://`` may precede the host.

    :param plain_http_hosts: hosts to connect to without TLS; loopback is always
        allowed.
    :raises TransferError: if it is invalid, or without TLS and not allowed.
    """
    scheme, mark, rest = text.rpartition("://")
    if mark and scheme not in ("https", "http", "docker"):
        raise TransferError(f"{text} has an unknown URL scheme.")
    host, slash, image = rest.partition("/")
    if not (slash and (mark or "." in host or ":" in host or host == "localhost")):
        return ImageAddress(None, *split_image(text))
    if not _HOST.fullmatch(host):
        raise TransferError(f"{host} is not a valid host name.")
    may_be_plain = host in plain_http_hosts or is_loopback(host)
    if scheme == "http" and not may_be_plain:
        raise TransferError(
            f"The connection to {host} would not use TLS. To allow this, use"
            f" '--plain-http {host}'."
        )
    if scheme not in ("http", "https"):
        scheme = "http" if may_be_plain else "https"
    name, reference = split_image(image)
    if host in HUB_HOSTS and "/" not in name:
        name = f"library/{name}"
    return ImageAddress(host, name, reference, scheme)


def is_loopback(host: str) -> bool:
    """Return True if a host, with or without a port, is this machine."""
    name = host.rpartition("]")[0].lstrip("[") or host.partition(":")[0]
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
