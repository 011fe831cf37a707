"""Issuers of identity tokens that the operator trusts: ``OCI_OIDC_ISSUERS``."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from urllib.parse import SplitResult
from urllib.parse import urlsplit

from ..rules.publishers import Kind
from ..rules.publishers import KINDS

#: Hosts of issuers that need no TLS, because the connection does not leave the machine.
_LOOPBACK: t.Final = frozenset({"localhost", "127.0.0.1", "::1"})

_ISSUER = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", re.ASCII)

#: The maximum length of the address of an issuer, in characters.
MAX_LENGTH: t.Final = 255


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer of identity tokens."""

    url: str
    """The exact text of the claim ``iss``."""

    kind: Kind

    keys: Mapping[str, t.Any] | None = field(default=None, repr=False)
    """The JSON Web Key Set, if the registry must not fetch it."""


def issuers(value: object) -> dict[str, Issuer]:
    """Return the issuers by their address.

    :param value: a mapping of addresses to kinds or to mappings of settings.
    """
    if not isinstance(value, Mapping):
        raise ValueError(
            "must be a mapping such as {'https://gitlab.example.org': 'gitlab'}"
        )
    return {str(url): _issuer(url, each) for url, each in value.items()}


def optional_audience(value: object) -> str | None:
    """Return the audience of identity tokens, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,255}", value):
        raise ValueError("must be a text without spaces, such as the registry's URL")
    return value


def is_secure(parts: SplitResult) -> bool:
    """Return True if no network between the registry and an address can change an
    answer of it."""
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in _LOOPBACK
    )


def _issuer(url: object, value: object) -> Issuer:
    if not isinstance(url, str) or len(url) > MAX_LENGTH or not _ISSUER.fullmatch(url):
        raise ValueError(
            f"must have the exact text of the claim 'iss' as a key; {url!r} is invalid"
        )
    if not is_secure(urlsplit(url)):
        raise ValueError(f"must name issuers with https; {url!r} has none")
    settings = {"kind": value} if isinstance(value, str) else value
    if not isinstance(settings, Mapping) or not set(settings) <= {"kind", "keys"}:
        raise ValueError(
            f"must give {url!r} a kind, or a mapping with 'kind' and 'keys'"
        )
    kind = settings.get("kind")
    if kind not in KINDS:
        known = ", ".join(map(repr, KINDS))
        raise ValueError(f"must give {url!r} one of the kinds {known}")
    keys = settings.get("keys")
    if keys is not None and not isinstance(keys, Mapping):
        raise ValueError(f"must give {url!r} a JSON Web Key Set as 'keys'")
    return Issuer(url, KINDS[str(kind)], keys)
