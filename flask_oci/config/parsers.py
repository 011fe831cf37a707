"""How the values of configuration keys are read, each kind by a function of its own.

Each returns the value as the package has it, and raises ValueError with the rest of a
sentence that begins with the key.
"""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t
from collections.abc import Iterable
from urllib.parse import urlsplit

from ..changes import KINDS
from ..changes import matching
from ..rules.protection import patterns
from ..rules.retention import parse as parse_rules
from ..rules.retention import Rule as RetentionRule

Network: t.TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"


def flag(value: object) -> bool:
    """Return True or False."""
    # A string would be true whatever it says, and "false" is what a variable
    # of the environment becomes when nobody parses it.
    if not isinstance(value, bool):
        raise ValueError("must be True or False")
    return value


def count(value: object) -> int:
    """Return a whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a whole number above zero")
    return value


def token_lifetime(value: object) -> int:
    """Return a number of seconds that no client finds too few."""
    # "For compatibility with older clients, a token should never be returned with
    # less than 60 seconds to live" (Distribution's docs/content/spec/auth/token.md):
    # they would take it for longer-lived than it is.
    if count(value) < 60:
        raise ValueError("must be at least 60 seconds")
    return count(value)


def optional_count(value: object) -> int | None:
    """Return a whole number above zero, or None."""
    return None if value is None else count(value)


def path(value: object) -> str:
    """Return the absolute path of a folder."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError("must be the path of a folder")
    return os.path.abspath(os.fspath(value))


def service(value: object) -> str:
    """Return a name that can stand in a challenge."""
    # The name stands between quotes in the challenge, and clients search that
    # header for the words below to learn the scheme.
    if not isinstance(value, str) or not re.fullmatch(r"[\w.:/-]+", value, re.A):
        raise ValueError("must be letters, digits, '.', ':', '/', '_' and '-'")
    if re.search("basic|bearer", value, re.I):
        raise ValueError("must not have 'basic' or 'bearer' in it")
    return value


def optional_url(value: object) -> str | None:
    """Return an address without a slash at its end, or None."""
    if value is None:
        return None
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme in ("http", "https") and parts.netloc and not parts.query:
            return value.rstrip("/")
    raise ValueError("must be an address such as 'https://forge.example.org'")


def optional_prefix(value: object) -> str | None:
    """Return the path of a location without a slash at its end, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("must be a path that begins with '/'")
    return value.rstrip("/")


def tag_patterns(value: object) -> tuple[str, ...]:
    """Return patterns of tags."""
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list of patterns")
    try:
        return patterns(value)
    except ValueError as error:
        raise ValueError(f"must be a list of patterns ({error})") from None


def retention(value: object) -> tuple[RetentionRule, ...]:
    """Return rules of retention."""
    if not isinstance(value, list | tuple) or not all(
        isinstance(text, str) for text in value
    ):
        raise ValueError("must be a list of rules, each of them a text")
    try:
        return parse_rules(value)
    except ValueError as error:
        raise ValueError(f"must be a list of rules ({error})") from None


def template(value: object) -> str:
    """Return the name of a template."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be the name of a template")
    return value


def optional_header(value: object) -> str | None:
    """Return the value of a header, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("must be one line of text")
    return value


def events(value: object) -> frozenset[str]:
    """Return the kinds of events that some patterns stand for."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError("must be a list of kinds of events")
    found: set[str] = set()
    for pattern in value:
        named = matching(str(pattern))
        if not named:
            raise ValueError(f"must be of kinds such as {KINDS[0]!r} or 'tag.*'")
        found.update(named)
    return frozenset(found)


def networks(value: object) -> tuple[Network, ...]:
    """Return networks."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError("must be a list of networks such as '10.1.0.0/16'")
    return tuple(ipaddress.ip_network(network) for network in value)
