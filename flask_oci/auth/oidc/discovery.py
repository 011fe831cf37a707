"""Discovery of an issuer's keys (OpenID Connect Discovery 1.0, section 4)."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ...config.issuers import is_secure
from ...errors import ManifestInvalid
from ...events.http_client import fetch
from ...events.http_client import FetchFailed
from ...spec.json_object import read_blob_object
from .signatures import Key
from .signatures import read_keys

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ...config.issuers import Issuer
    from ...config.parsers import Network

#: The maximum size of a document of an issuer, in bytes.
MAX_DOCUMENT: t.Final = 256 * 1024

#: The time limit of both requests together, in seconds.
TIMEOUT: t.Final = 6.0

_SUFFIX: t.Final = "/.well-known/openid-configuration"


class DiscoveryFailed(Exception):
    """The keys cannot be read; the message is for the operator."""


class Discovered(t.NamedTuple):
    """The published keys of an issuer."""

    keys: dict[str, Key]
    """The keys by their names."""

    clock_skew: float | None = None
    """How many seconds the issuer's clock is ahead of this machine's, or None if it is
    unknown."""


def discover(issuer: Issuer, allowed: Sequence[Network]) -> Discovered:
    """Return the keys of an issuer.

    :param allowed: the networks of ``OCI_OIDC_NETWORKS``.
    :raises DiscoveryFailed: if they cannot be read.
    """
    if issuer.keys is not None:
        return Discovered(_keys(dict(issuer.keys), "'keys' in OCI_OIDC_ISSUERS"))
    url = issuer.url.removesuffix("/") + _SUFFIX
    document, _ = _document(url, allowed)
    if document.get("issuer") != issuer.url:
        raise DiscoveryFailed(
            f"{url} names another issuer. Use the exact text of its field 'issuer' in"
            " OCI_OIDC_ISSUERS."
        )
    address = document.get("jwks_uri")
    if not isinstance(address, str) or not _is_safe(address):
        raise DiscoveryFailed(f"{url} has no 'jwks_uri' with https.")
    document, skew = _document(address, allowed)
    return Discovered(_keys(document, address), skew)


def _keys(document: dict[str, t.Any], source: str) -> dict[str, Key]:
    try:
        return read_keys(document)
    except ValueError as error:
        raise DiscoveryFailed(f"{source} {error}.") from None


def _document(
    url: str, allowed: Sequence[Network]
) -> tuple[dict[str, t.Any], float | None]:
    """Return the JSON object at an address, and the difference of the clocks."""
    try:
        found = fetch(
            url,
            allowed=allowed,
            timeout=TIMEOUT / 2,
            most=MAX_DOCUMENT,
            setting="OCI_OIDC_NETWORKS",
        )
        return read_blob_object(found.content), found.clock_skew
    except FetchFailed as error:
        raise DiscoveryFailed(f"{url} cannot be read: {error}") from None
    except ManifestInvalid:
        raise DiscoveryFailed(f"{url} is not a JSON object.") from None


def _is_safe(address: str) -> bool:
    try:
        parts = urlsplit(address)
        is_plain = address.isascii() and address.isprintable() and len(address) <= 2000
        return is_plain and is_secure(parts) and "@" not in parts.netloc
    except ValueError:
        return False
