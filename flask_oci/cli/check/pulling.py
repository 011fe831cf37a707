"""Findings on the way out: what was pushed comes back, as it was, to whom it may."""

from __future__ import annotations

import hashlib
import typing as t

from .finding import Finding
from .findings import login as login_findings
from .findings import pulling as findings
from .settings import nobody_may

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .transport import Reply


#: The part that is asked for, and its last byte.
PART: t.Final = (1000, 1999)

_LEFT = ("x-accel-redirect", "x-sendfile")


def look(visit: Session) -> Iterator[Finding]:
    """Pull what was pushed: its length, a part, all of it, and as somebody else."""
    digest = visit.rehearsal.stored
    if digest is None:
        return
    path = f"/v2/{visit.subject.repository}/blobs/{digest}"
    head = visit.ask("HEAD", path)
    if head.status != 200:
        yield findings.PULL_FAILS.found(f"HEAD is answered {head.summary}.")
        return
    if head.headers.get("content-length") != str(visit.size):
        told = head.headers.get("content-length", "none")
        yield findings.LENGTH_LOST.found(f"HEAD says {told}, and it is {visit.size}.")
    whole = visit.ask("GET", path, headers={"Accept-Encoding": "gzip"})
    if any(name in whole.headers for name in _LEFT):
        # Without a proxy there is nobody to send it, and that is right.
        if visit.transport.name:
            yield findings.UNSENT.found("The answer names a file, and has no content.")
        return
    found = list(_content(whole, digest))
    yield from found
    if found:
        return
    yield from _part(visit, path, whole.body)
    yield from _as_nobody(visit, path)


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
            "There is no Docker-Content-Digest."
        )


def _part(visit: Session, path: str, whole: bytes) -> Iterator[Finding]:
    first, last = PART
    part = visit.ask("GET", path, headers={"Range": f"bytes={first}-{last}"})
    if part.status != 206 or len(part.body) != last + 1 - first:
        what = f"{last + 1 - first} bytes, the answer is {part.summary}"
        yield findings.RANGES_IGNORED.found(
            f"Asked for {what}, with {len(part.body)} bytes."
        )


def _as_nobody(visit: Session, path: str) -> Iterator[Finding]:
    if nobody_may(visit.subject, "pull"):
        return
    reply = visit.ask("GET", path, anonymous=True)
    if reply.status == 200:
        yield findings.CACHED.found(
            "Without credentials, the answer is 200, with the layer."
        )
