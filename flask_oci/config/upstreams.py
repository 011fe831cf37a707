"""Upstream registries whose images the registry caches: ``OCI_UPSTREAMS``."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from datetime import timedelta
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from ..rules.retention_rules import Rule
from ..rules.visibility import INTERNAL
from ..rules.visibility import VISIBILITIES
from ..spec.reference import is_name
from . import parsers

KEEP: t.Final = "keep"
DELETE: t.Final = "delete"

#: The names of Docker Hub, and the host of its registry.
HUB_HOSTS: t.Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
HUB_ENDPOINT: t.Final = "registry-1.docker.io"

_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9._]+)?", re.ASCII)
_PATTERN = re.compile(r"[a-z0-9._/*?\[\]!-]{1,255}", re.ASCII)
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:]{2,39}\])"
    r"(?::[0-9]{1,5})?",
    re.ASCII,
)

#: Parses a value. It raises ValueError with the predicate of a sentence.
Parser = Callable[[object], t.Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """An upstream registry, and the rules for its cached images."""

    namespace: str
    """The first component of the names of its cached repositories."""

    address: str
    """The URL of the registry, or its host, such as ``docker.io``."""

    username: str | None = None
    """The user name at the upstream. None is an anonymous client."""

    password: str | None = field(default=None, repr=False)
    """The password, or an access token."""

    allow: tuple[str, ...] = ("*",)
    """Patterns of the names at the upstream that may be fetched. ``*`` matches any
    text, slashes included."""

    platforms: tuple[str, ...] = ()
    """The platforms that may be fetched, such as ``linux/amd64``. Empty allows all."""

    visibility: str = INTERNAL
    """The users who may pull, unless your application decides: ``internal`` is every
    user who signs in, ``public`` is everyone."""

    fresh: timedelta = timedelta(minutes=5)
    """How long a tag is served without a question to the upstream."""

    stale: timedelta | None = timedelta(days=30)
    """How long after the last answer of the upstream a tag is served while the
    upstream fails. None sets no limit."""

    on_deleted: str = KEEP
    """``keep`` serves a tag that the upstream has deleted, ``delete`` deletes it."""

    timeout: timedelta = timedelta(seconds=10)
    """How long the upstream may take to answer, and to send the next bytes of a
    blob."""

    fetch_timeout: timedelta = timedelta(hours=1)
    """How long the fetch of one blob may take."""

    retry: timedelta = timedelta(seconds=30)
    """How long the registry sends no requests to an upstream that did not respond."""

    max_blob_size: int | None = None
    """The maximum size of a fetched blob in bytes. None sets no limit."""

    quota: int | None = None
    """The maximum size of all its cached content in bytes. Content beyond it is served
    but not kept. None sets no limit."""

    retention: tuple[Rule, ...] = ()
    """The retention rules of its repositories, unless a repository has its own."""

    networks: tuple[parsers.Network, ...] = ()
    """The networks that are not public and that the upstream, the targets of its
    redirects and its token service may be in."""

    token_hosts: tuple[str, ...] = ()
    """The hosts of other token services that may receive the password."""

    mirror_hosts: tuple[str, ...] = ()
    """The host names at which clients use this upstream without the namespace."""

    mirror_networks: tuple[parsers.Network, ...] = ()
    """The networks of the clients of the mirror. Without them, the mirror serves only
    what anonymous clients may pull."""

    @property
    def url(self) -> str:
        """The URL of the upstream's registry."""
        scheme, mark, host = self.address.rpartition("://")
        host = HUB_ENDPOINT if host in HUB_HOSTS else host
        return f"{scheme if mark else 'https'}://{host}"

    @property
    def host(self) -> str:
        """The host of the upstream as users know it, such as ``docker.io``."""
        return self.address.rpartition("://")[2]

    @property
    def is_hub(self) -> bool:
        """Whether this is Docker Hub."""
        return self.host in HUB_HOSTS

    def remote_name(self, name: str) -> str:
        """Return the name at the upstream of a cached repository."""
        return name.partition("/")[2]

    def allows(self, remote_name: str) -> bool:
        """Return True if a repository of the upstream may be fetched."""
        return is_name(remote_name) and any(
            fnmatchcase(remote_name, pattern) for pattern in self.allow
        )

    def allows_platform(self, platform: str) -> bool:
        """Return True if an image for a platform may be fetched.

        :param platform: the platform, such as ``linux/arm64/v8``. An attestation has
            the platform ``unknown/unknown``, and other manifests have none.
        """
        if not self.platforms or platform in ("", "unknown/unknown"):
            return True
        return any(
            platform == allowed or platform.startswith(f"{allowed}/")
            for allowed in self.platforms
        )


def upstreams(value: object) -> dict[str, Upstream]:
    """Return the upstreams by namespace.

    :param value: a mapping of namespaces to addresses or to mappings of settings.
    """
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping such as {'hub': 'docker.io'}")
    found = {str(key): _upstream(str(key), each) for key, each in value.items()}
    hosts = [host for each in found.values() for host in each.mirror_hosts]
    if len(hosts) != len(set(hosts)):
        raise ValueError("must name each of 'mirror_hosts' once")
    return found


def _upstream(namespace: str, value: object) -> Upstream:
    if not is_name(namespace) or "/" in namespace:
        raise ValueError(
            f"must have namespaces such as 'hub', without a slash; {namespace!r} is"
            " invalid"
        )
    settings = {"address": value} if isinstance(value, str) else value
    if not isinstance(settings, Mapping) or "address" not in settings:
        raise ValueError(
            f"must give {namespace!r} an address, such as 'docker.io' or"
            " {'address': 'docker.io', 'allow': ['library/*']}"
        )
    found: dict[str, t.Any] = {}
    for name, each in settings.items():
        if name not in _PARSERS:
            known = ", ".join(sorted(_PARSERS))
            raise ValueError(
                f"has the unknown setting {name!r} in {namespace!r}; use: {known}"
            )
        try:
            found[name] = _PARSERS[name](each)
        except ValueError as error:
            raise ValueError(f"[{namespace!r}][{name!r}] {error}") from None
    if ("username" in found) != ("password" in found):
        raise ValueError(
            f"must give {namespace!r} both a 'username' and a 'password', or neither"
        )
    return Upstream(namespace=namespace, **found)


def _address(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a host such as 'docker.io', or a URL")
    parts = urlsplit(value if "://" in value else f"https://{value}")
    is_plain = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    if not is_plain or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            "must be a host such as 'docker.io', or a URL such as"
            " 'https://registry.example.org', without a path"
        )
    return value.rstrip("/")


def _one_of(*words: str) -> Parser:
    def parse(value: object) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(map(repr, words))}")
        return str(value)

    return parse


def _texts(expression: re.Pattern[str], example: str) -> Parser:
    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(
            isinstance(text, str) and expression.fullmatch(text) for text in value
        ):
            raise ValueError(f"must be a list such as [{example!r}]")
        return tuple(value)

    return parse


def _secret(value: object) -> str:
    # A secret is not repeated in the error.
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("must be a text without line breaks")
    return value


_PARSERS: t.Final[dict[str, Parser]] = {
    "address": _address,
    "username": _secret,
    "password": _secret,
    "allow": _texts(_PATTERN, "library/*"),
    "platforms": _texts(_PLATFORM, "linux/amd64"),
    "visibility": _one_of(*VISIBILITIES),
    "fresh": parsers.duration,
    "stale": parsers.optional_duration,
    "on_deleted": _one_of(KEEP, DELETE),
    "timeout": parsers.duration,
    "fetch_timeout": parsers.duration,
    "retry": parsers.duration,
    "max_blob_size": parsers.optional_count,
    "quota": parsers.optional_count,
    "retention": parsers.retention,
    "networks": parsers.networks,
    "token_hosts": _texts(_HOST, "auth.example.org"),
    "mirror_hosts": _texts(_HOST, "hub.forge.example.org"),
    "mirror_networks": parsers.networks,
}
