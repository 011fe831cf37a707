"""A Content-Security-Policy: the parts of a page that it blocks, and the policy that
allows them (W3C, "Content Security Policy Level 3")."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from urllib.parse import SplitResult
from urllib.parse import urlsplit

if t.TYPE_CHECKING:
    from .page_content import Part

_NONE: t.Final = "'none'"
_SELF: t.Final = "'self'"
_UNSAFE_INLINE: t.Final = "'unsafe-inline'"

_ATTRIBUTES: t.Final = ("style-src-attr", "script-src-attr")
_PORTS: t.Final = {"http": 80, "https": 443}


class ContentPolicy:
    """A policy for the pages of one site.

    :param header: the value of the header.
    :param address: the address of a page.
    """

    def __init__(self, header: str, address: str) -> None:
        self._page = urlsplit(address)
        self._sources: dict[str, list[str]] = {}
        for directive in header.split(";"):
            name, *sources = directive.split() or [""]
            if name:
                self._sources.setdefault(name.lower(), sources)

    def __str__(self) -> str:
        directives = (" ".join((k, *v)) for k, v in self._sources.items())
        return "; ".join(directives)

    def allows(self, part: Part) -> bool:
        """Return True if browsers show or execute a part of a page."""
        directive = self._directive(part)
        if directive is None:
            return True
        sources = self._sources[directive]
        if part.nonce and f"'nonce-{part.nonce}'" in sources:
            return True
        if part.url:
            return any(self._matches(source, part.url) for source in sources)
        is_exact = any(s.startswith(("'nonce-", "'sha")) for s in sources)
        if _UNSAFE_INLINE in sources and not is_exact:
            return True
        is_attribute = part.directives[0] in _ATTRIBUTES
        return _hash(part.code) in sources and (
            not is_attribute or "'unsafe-hashes'" in sources
        )

    def allow(self, part: Part) -> None:
        """Allow a part, and as little else as possible."""
        directive = self._directive(part)
        if directive is None:
            return
        kept = self._sources[directive]
        if part.directives[0] in _ATTRIBUTES:
            directive, kept = (
                part.directives[0],
                self._sources.get(part.directives[0], []),
            )
        elif directive == "default-src":
            directive = part.directives[-2]
        added = [s for s in self._needed(part) if s not in kept]
        self._sources[directive] = [s for s in kept if s != _NONE] + added

    def _directive(self, part: Part) -> str | None:
        """Return the directive that decides on a part, or None."""
        return next((d for d in part.directives if d in self._sources), None)

    def _needed(self, part: Part) -> list[str]:
        if part.url:
            found = urlsplit(part.url)
            if self._is_self(found):
                return [_SELF]
            is_site = found.scheme in _PORTS
            return [
                f"{found.scheme}://{found.netloc}" if is_site else f"{found.scheme}:"
            ]
        if part.directives[0] == "style-src-attr":
            # A script sets many styles, so hashes of attributes are not practical.
            return [_UNSAFE_INLINE]
        found_hash = _hash(part.code)
        if part.directives[0] == "script-src-attr":
            return ["'unsafe-hashes'", found_hash]
        return [found_hash]

    def _is_self(self, url: SplitResult) -> bool:
        return _origin(url) == _origin(self._page)

    def _matches(self, source: str, address: str) -> bool:
        """Return True if a source expression covers an address."""
        url = urlsplit(address)
        if source == _SELF:
            return self._is_self(url)
        if source == "*":
            return url.scheme in _PORTS
        if source.endswith(":"):
            return source[:-1] in (url.scheme, url.scheme.removesuffix("s"))
        expected = urlsplit(source if "://" in source else f"{url.scheme}://{source}")
        host, found = expected.hostname or "", url.hostname or ""
        is_host = found.endswith(host[1:]) if host.startswith("*.") else found == host
        schemes = (expected.scheme, f"{expected.scheme}s")
        return is_host and url.scheme in schemes and _covers_path(expected.path, url)


def _covers_path(path: str, url: SplitResult) -> bool:
    if path.endswith("/"):
        return url.path.startswith(path)
    return path in ("", url.path)


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


def _hash(code: str) -> str:
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
