"""Checks of pulls: a pushed layer is returned unchanged to authorized clients only."""

from __future__ import annotations

import hashlib
import typing as t

from . import downloads
from .finding import Finding
from .findings import downloads as downloads_findings
from .findings import login as login_findings
from .findings import pulling as findings
from .settings import anonymous_may

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .transport import Reply


#: The first and last byte of the requested range.
RANGE: t.Final = (1000, 1999)

_ACCEL_HEADERS = ("x-accel-redirect", "x-sendfile")


def check(session: Session) -> Iterator[Finding]:
    """Pull the pushed layer: its length, all of it, a range, and as another client."""
    digest = session.sandbox.stored
    if digest is None:
        return
    path = f"/v2/{session.target.repository}/blobs/{digest}"
    head = session.ask("HEAD", path)
    if head.status != 200:
        yield findings.PULL_FAILS.found(f"HEAD is answered {head.summary}.")
        return
    if head.headers.get("content-length") != str(session.size):
        length = head.headers.get("content-length", "none")
        yield findings.LENGTH_LOST.found(
            f"Content-Length of HEAD is {length}, the layer has {session.size} bytes."
        )
    whole = session.ask("GET", path, headers={"Accept-Encoding": "gzip"})
    if any(name in whole.headers for name in _ACCEL_HEADERS):
        # Without a proxy, a response that names a file is correct.
        if session.transport.name:
            yield findings.NOT_SENT.found(
                "The response names a file and has no content."
            )
        return
    if whole.is_redirect and session.target.parts.config.downloads == "redirect":
        yield from downloads.follow(session, whole, digest)
        yield from _as_anonymous(session, path)
        return
    if _is_left_by_proxy(session, whole):
        yield findings.NOT_SENT.found(f"GET is answered {whole.summary}.")
        return
    if downloads.is_streamed_for_nginx(whole):
        yield downloads_findings.NOT_READ.found("The application sent the layer.")
    found = list(_content(whole, digest))
    yield from found
    if found:
        return
    yield from _range(session, path, whole.body)
    yield from _as_anonymous(session, path)


def _is_left_by_proxy(session: Session, whole: Reply) -> bool:
    """Return True if the proxy does not know the location that the registry names."""
    is_delegated = session.target.parts.config.accel_redirect is not None
    is_failed = whole.status != 200 and not whole.is_registry
    return is_delegated and is_failed and bool(session.transport.name)


def _content(whole: Reply, digest: str) -> Iterator[Finding]:
    if whole.status != 200:
        yield findings.PULL_FAILS.found(f"GET is answered {whole.summary}.")
    elif encoding := whole.headers.get("content-encoding"):
        yield findings.COMPRESSED.found(f"Content-Encoding is {encoding}.")
    elif f"sha256:{hashlib.sha256(whole.body).hexdigest()}" != digest:
        yield findings.DAMAGED.found(
            f"The {len(whole.body)} bytes have another digest."
        )
    elif "content-length" not in whole.headers:
        yield findings.LENGTH_LOST.found("GET has no Content-Length.")
    if whole.status == 200 and "docker-content-digest" not in whole.headers:
        yield login_findings.HEADERS_STRIPPED.found(
            "There is no header Docker-Content-Digest."
        )


def _range(session: Session, path: str, whole: bytes) -> Iterator[Finding]:
    first, last = RANGE
    reply = session.ask("GET", path, headers={"Range": f"bytes={first}-{last}"})
    if reply.status != 206 or len(reply.body) != last + 1 - first:
        yield findings.RANGES_IGNORED.found(
            f"A request for {last + 1 - first} bytes is answered {reply.summary}, with"
            f" {len(reply.body)} bytes."
        )


def _as_anonymous(session: Session, path: str) -> Iterator[Finding]:
    if anonymous_may(session.target, "pull"):
        return
    reply = session.ask("GET", path, anonymous=True)
    if reply.status in (200, 307):
        yield findings.CACHED.found(
            f"A request without credentials is answered {reply.status}, with the layer."
        )
