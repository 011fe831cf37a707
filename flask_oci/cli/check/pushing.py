"""Findings on the way in: a layer is pushed, as docker does it and as others do."""

from __future__ import annotations

import hashlib
import secrets
import time
import typing as t
from urllib.parse import urlsplit

from ...errors import BlobUploadUnknown
from .finding import Finding
from .findings import login as login_findings
from .findings import pushing as findings
from .findings import requests as requests_findings
from .requests import MIB
from .settings import origin
from .transport import Pieces
from .transport import pieces_of
from .transport import Unreachable
from .transport import Watch

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .transport import Reply

#: How many bytes are sent at a time.
PIECE: t.Final = 256 * 1024

#: How many bytes are sent before the registry should have seen some.
AHEAD: t.Final = 4 * MIB

#: For how many seconds those may be on their way.
ON_THE_WAY: t.Final = 3.0


def look(visit: Session) -> Iterator[Finding]:
    """Push a layer twice: streamed, and in one piece of announced length."""
    content = _layer(visit.size)
    if (location := (yield from _start(visit))) is None:
        return
    if not (yield from _stream(visit, location, content)):
        return
    yield from _whole(visit, _layer(visit.size))


def _layer(size: int) -> bytes:
    """Make up a layer that nobody has."""
    return (secrets.token_bytes(1024) * (size // 1024 + 1))[:size]


def _start(visit: Session) -> t.Generator[Finding, None, str | None]:
    path = f"/v2/{visit.subject.repository}/blobs/uploads/"
    reply = visit.ask("POST", path, b"")
    location = reply.headers.get("location", "")
    if reply.status != 202 or not location:
        yield _failure(reply, findings.PUSH_FAILS, "POST")
        return None
    here = visit.transport.name or visit.subject.url
    if urlsplit(location).netloc and here and origin(location) != origin(here):
        yield findings.LOCATION_WRONG.found(f"Location is {location}.")
    return visit.follow(path, location)


def _stream(
    visit: Session, location: str, content: bytes
) -> t.Generator[Finding, None, bool]:
    """Push as docker does: one PATCH without a length, and an empty PUT."""
    seen: list[int | None] = []
    watch = Watch(AHEAD, lambda: seen.append(_arrived(visit, location)))
    pieces = pieces_of(content, PIECE, watch if visit.transport.name else None)
    try:
        reply = visit.ask("PATCH", location, Pieces(pieces, None))
    except Unreachable as error:
        yield _broken(visit, error)
        return False
    if reply.status != 202:
        yield _failure(reply, findings.CHUNKED_REFUSED, "A chunked PATCH")
        return False
    if seen == [0]:
        yield findings.BUFFERED.found(
            f"{AHEAD // MIB} MiB were sent, and none had arrived {ON_THE_WAY:.0f}"
            " seconds later."
        )
    elif seen == [None]:
        yield login_findings.OTHER_DATABASE.found(
            "What is sent to it arrives in another folder."
        )
    if reply.headers.get("range") != f"0-{len(content) - 1}":
        stored = reply.headers.get("range", "nothing")
        yield findings.CONTENT_CHANGED.found(
            f"Of {len(content)} bytes, {stored} arrived."
        )
        return False
    location = visit.follow(location, reply.headers.get("location", location))
    return (yield from _close(visit, location, content, None))


def _whole(visit: Session, content: bytes) -> Iterator[Finding]:
    """Push as smaller clients do: the layer in one PUT that says how long it is."""
    if (location := (yield from _start(visit))) is None:
        return
    body = Pieces(pieces_of(content, PIECE), len(content))
    yield from _close(visit, location, content, body)


def _close(
    visit: Session, location: str, content: bytes, body: Pieces | None
) -> t.Generator[Finding, None, bool]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    visit.rehearsal.digests.append(digest)
    path = f"{location}{'&' if '?' in location else '?'}digest={digest}"
    headers = {"Expect": "100-continue"} if body else {}
    reply = visit.ask("PUT", path, body or b"", headers=headers)
    if reply.status == 417:
        yield findings.EXPECT_REFUSED.found("Expect: 100-continue is answered 417.")
        return False
    if reply.status != 201:
        yield _failure(reply, findings.CONTENT_CHANGED, "A PUT")
        return False
    visit.rehearsal.stored = digest
    return True


def _broken(visit: Session, error: Unreachable) -> Finding:
    """Find out whether a body broke off because it was large."""
    try:
        path = f"/v2/{visit.subject.repository}/blobs/uploads/"
        location = visit.ask("POST", path, b"").headers.get("location", path)
        body = Pieces([b"small"], None)
        small = visit.ask("PATCH", visit.follow(path, location), body)
    except Unreachable:
        return findings.PUSH_FAILS.found(f"{error}.")
    if small.status != 202:
        return findings.PUSH_FAILS.found(f"{error}.")
    return requests_findings.BODY_LIMIT.found(
        f"A small body passes, a larger one ends: {error}."
    )


def _failure(reply: Reply, known: t.Any, what: str) -> Finding:
    words = f"{what} is answered {reply.summary}."
    if reply.status == 413:
        return requests_findings.BODY_LIMIT.found(words)
    if reply.status == 403 and reply.has_error:
        return findings.PUSH_REFUSED.found(words)
    # 501 is ours: the server hides chunked bodies. 411 wants a length, 400 a digest.
    if reply.status in (411, 501) or (reply.status == 400 and reply.is_registry):
        return t.cast(Finding, known.found(words))
    return findings.PUSH_FAILS.found(words)


def _arrived(visit: Session, location: str) -> int | None:
    """Return how much of an upload is stored by now, or None where it is unknown."""
    uuid = urlsplit(location).path.rpartition("/")[2]
    deadline = time.monotonic() + ON_THE_WAY
    while True:
        try:
            length = visit.subject.parts.storage.upload_length(uuid)
        except BlobUploadUnknown:
            return None
        if length or time.monotonic() > deadline:
            return length
        time.sleep(0.05)
