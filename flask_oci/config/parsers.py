"""Parsers of configuration values.

Each function takes a value as the host has configured it and returns the value for
:class:`~flask_oci.config.Config`. It raises ValueError if the value is invalid. The
message is the predicate of a sentence whose subject is the key.
"""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlsplit

from ..changes import KINDS
from ..changes import matching
from ..rules.image_policy import parse as parse_policy
from ..rules.image_policy import PolicyRule
from ..rules.protection import patterns
from ..rules.retention_rules import parse as parse_rules
from ..rules.retention_rules import Rule as RetentionRule

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

RuleT = t.TypeVar("RuleT")

Network: t.TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

#: 100 years in seconds.
_CENTURY: t.Final = 100 * 365 * 24 * 60 * 60


def flag(value: object) -> bool:
    """Return True or False."""
    # Every string is true, even "false", and an environment variable that the host
    # does not parse is a string.
    if not isinstance(value, bool):
        raise ValueError("must be True or False")
    return value


def cache_policy(value: object) -> bool | t.Literal["statements"]:
    """Return True, False or ``"statements"``."""
    if value == "statements":
        return "statements"
    if not isinstance(value, bool):
        raise ValueError("must be True, False or 'statements'")
    return value


def optional_flag(value: object) -> bool | None:
    """Return True, False or None."""
    return None if value is None else flag(value)


def count(value: object) -> int:
    """Return a whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a whole number above zero")
    return value


def duration(value: object) -> timedelta:
    """Return a duration of at least one second and at most 100 years."""
    seconds: float = 0
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    if seconds < 1:
        raise ValueError(
            "must be a whole number of seconds above zero, such as 900, or a"
            " datetime.timedelta of at least one second, such as timedelta(minutes=15)"
        )
    # Subtracted from the present, a longer one may end before the year 1.
    if seconds > _CENTURY:
        raise ValueError("must be at most 100 years")
    return timedelta(seconds=seconds)


def token_lifetime(value: object) -> timedelta:
    """Return a duration that every client accepts as the lifetime of a token."""
    lifetime = duration(value)
    # "For compatibility with older clients, a token should never be returned with
    # less than 60 seconds to live" (Distribution's docs/content/spec/auth/token.md):
    # they use such a token for longer than it is valid.
    if lifetime < timedelta(seconds=60):
        raise ValueError("must be at least 60 seconds")
    return lifetime


def optional_duration(value: object) -> timedelta | None:
    """Return a duration of at least one second and at most 100 years, or None."""
    return None if value is None else duration(value)


def optional_count(value: object) -> int | None:
    """Return a whole number above zero, or None."""
    return None if value is None else count(value)


def optional_size(value: object) -> int | None:
    """Return a number of bytes, which may be zero, or None."""
    return None if value is None else 0 if value == 0 else count(value)


def path(value: object) -> str:
    """Return the absolute path of a folder."""
    return _path(value, "must be the path of a folder")


def optional_file(value: object) -> str | None:
    """Return the absolute path of a file, or None."""
    return (
        None if value is None else _path(value, "must be the path of a file, or None")
    )


def service(value: object) -> str:
    """Return a service name that can be part of a challenge."""
    # The challenge has the name in quotes, and clients search that header for the
    # words below to find out the scheme.
    if not isinstance(value, str) or not re.fullmatch(r"[\w.:/-]+", value, re.A):
        raise ValueError("must consist of letters, digits, '.', ':', '/', '_' and '-'")
    if re.search("basic|bearer", value, re.I):
        raise ValueError("must not contain 'basic' or 'bearer'")
    return value


def optional_url(value: object) -> str | None:
    """Return a URL without a trailing slash, or None."""
    if value is None:
        return None
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme in ("http", "https") and parts.netloc and not parts.query:
            return value.rstrip("/")
    raise ValueError("must be a URL such as 'https://forge.example.org'")


def optional_address(value: object) -> str | None:
    """Return the path or the URL of a page, or None."""
    if value is None:
        return None
    if isinstance(value, str) and value.isprintable() and " " not in value:
        parts = urlsplit(value.replace("\\", "/"))
        is_path = not parts.scheme and not parts.netloc and value.startswith("/")
        if is_path or (parts.scheme in ("http", "https") and parts.netloc):
            return value
    raise ValueError("must be a path such as '/login', or a URL")


def optional_prefix(value: object) -> str | None:
    """Return a URL path without a trailing slash, or None."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("must be a path that begins with '/'")
    return value.rstrip("/")


def tag_patterns(value: object) -> tuple[str, ...]:
    """Return tag patterns, each of them once."""
    if not _is_list_of_texts(value):
        raise ValueError("must be a list of tag patterns")
    try:
        return patterns(value)
    except ValueError as error:
        raise ValueError(f"must be a list of tag patterns ({error})") from None


def retention(value: object) -> tuple[RetentionRule, ...]:
    """Return retention rules."""
    return _rules(value, parse_rules)


def image_policy(value: object) -> tuple[PolicyRule, ...]:
    """Return the rules of an image policy."""
    return _rules(value, parse_policy)


def work(value: object) -> t.Literal["thread"] | None:
    """Return how the application runs the background work, or None."""
    if value is None:
        return None
    if value == "thread":
        return "thread"
    raise ValueError("must be 'thread' or None")


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
    """Return the kinds of events that match any of the patterns."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError("must be a list of kinds of events")
    found: set[str] = set()
    for pattern in value:
        named = matching(str(pattern))
        if not named:
            raise ValueError(f"must list events such as {KINDS[0]!r} or 'tag.*'")
        found.update(named)
    return frozenset(found)


def networks(value: object) -> tuple[Network, ...]:
    """Return IP networks."""
    example = "must be a list of networks such as ['10.1.0.0/16', '127.0.0.1/32']"
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(example)
    try:
        return tuple(ipaddress.ip_network(network) for network in value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{example} ({error})") from None


def _path(value: object, message: str) -> str:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError(message)
    return os.path.abspath(os.fspath(value))


def _rules(
    value: object, parse: Callable[[Sequence[str]], tuple[RuleT, ...]]
) -> tuple[RuleT, ...]:
    if not _is_list_of_texts(value):
        raise ValueError("must be a list of rules, each a string")
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"must be a list of rules ({error})") from None


def _is_list_of_texts(value: object) -> t.TypeGuard[Sequence[str]]:
    return isinstance(value, list | tuple) and all(
        isinstance(text, str) for text in value
    )
