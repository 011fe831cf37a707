"""Checks of pushes: a layer as docker sends it, and in one request."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import typing as t
from urllib.parse import urlsplit

from ...errors import BlobUploadUnknown
from ...rules.quota import readable
from .finding import Finding
from .finding import FindingType
from .findings import login as login_findings
from .findings import pushing as findings
from .findings import requests as requests_findings
from .requests import MIB
from .settings import origin
from .transport import Checkpoint
from .transport import split_body
from .transport import StreamedBody
from .transport import Unreachable

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .transport import Reply

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INVALID_MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST}).encode()

#: The size of a chunk, in bytes.
CHUNK: t.Final = 256 * 1024

#: How many bytes are sent before the registry must have received some.
UNBUFFERED: t.Final = 4 * MIB

#: How long they may take to arrive, in seconds.
ARRIVAL_TIMEOUT: t.Final = 3.0


def check(session: Session) -> Iterator[Finding]:
    """Push two layers, one in a chunked PATCH and one in a PUT with Content-Length, and
    a manifest."""
    yield from _manifest(session)
    content = _layer(session.size)
    if (location := (yield from _start(session))) is None:
        return
    if not (yield from _stream(session, location, content)):
        return
    yield from _whole(session, _layer(session.size))


def _manifest(session: Session) -> Iterator[Finding]:
    """Push an invalid manifest, so that none is stored and no receiver is notified.

    A hook may read JSON bodies, and not those of layers.
    """
    path = f"/v2/{session.target.repository}/manifests/check"
    reply = session.ask(
        "PUT", path, _INVALID_MANIFEST, headers={"Content-Type": _MANIFEST}
    )
    if "MANIFEST_INVALID" not in reply.codes:
        yield _failure(reply, findings.CONTENT_CHANGED, "A PUT of a manifest")


def _layer(size: int) -> bytes:
    """Return a random layer."""
    return (secrets.token_bytes(1024) * (size // 1024 + 1))[:size]


def _start(session: Session) -> t.Generator[Finding, None, str | None]:
    path = f"/v2/{session.target.repository}/blobs/uploads/"
    reply = session.ask("POST", path, b"")
    location = reply.headers.get("location", "")
    if reply.status != 202 or not location:
        yield _failure(reply, findings.PUSH_FAILS, "POST")
        return None
    address = session.transport.name or session.target.url
    if urlsplit(location).netloc and address and origin(location) != origin(address):
        yield findings.LOCATION_WRONG.found(f"Location is {location}.")
    return session.follow(path, location)


def _stream(
    session: Session, location: str, content: bytes
) -> t.Generator[Finding, None, bool]:
    """Push as docker does: one PATCH without Content-Length, and an empty PUT."""
    seen: list[int | None] = []
    checkpoint = Checkpoint(
        UNBUFFERED, lambda: seen.append(_arrived(session, location))
    )
    chunks = split_body(content, CHUNK, checkpoint if session.transport.name else None)
    try:
        reply = session.ask("PATCH", location, StreamedBody(chunks, None))
    except Unreachable as error:
        yield _broken(session, error)
        return False
    if reply.status != 202:
        yield _failure(reply, findings.CHUNKED_REFUSED, "A chunked PATCH")
        return False
    if seen == [0]:
        yield findings.BUFFERED.found(
            f"{readable(UNBUFFERED)} were sent, and none had arrived after"
            f" {ARRIVAL_TIMEOUT:.0f} seconds."
        )
    elif seen == [None]:
        yield login_findings.DATABASE_DIFFERS.found(
            "The upload is stored in another folder."
        )
    if reply.held:
        yield findings.BODIES_IN_MEMORY.found(
            f"A hook read {reply.held} bytes of a layer into memory."
        )
    if reply.headers.get("range") != f"0-{len(content) - 1}":
        stored = reply.headers.get("range", "nothing")
        yield findings.CONTENT_CHANGED.found(
            f"Of {len(content)} bytes, the registry received {stored}."
        )
        return False
    location = session.follow(location, reply.headers.get("location", location))
    return (yield from _close(session, location, content, None))


def _whole(session: Session, content: bytes) -> Iterator[Finding]:
    """Push as simple clients do: the layer in one PUT with Content-Length."""
    if (location := (yield from _start(session))) is None:
        return
    body = StreamedBody(split_body(content, CHUNK), len(content))
    yield from _close(session, location, content, body)


def _close(
    session: Session, location: str, content: bytes, body: StreamedBody | None
) -> t.Generator[Finding, None, bool]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    session.sandbox.digests.append(digest)
    path = f"{location}{'&' if '?' in location else '?'}digest={digest}"
    headers = {"Expect": "100-continue"} if body else {}
    reply = session.ask("PUT", path, body or b"", headers=headers)
    if reply.status == 417:
        yield findings.EXPECT_REFUSED.found("Expect: 100-continue is answered 417.")
        return False
    if reply.status != 201:
        yield _failure(reply, findings.CONTENT_CHANGED, "A PUT")
        return False
    session.sandbox.stored = digest
    return True


def _broken(session: Session, error: Unreachable) -> Finding:
    """Return the finding for an interrupted body: test if a small one is accepted."""
    try:
        path = f"/v2/{session.target.repository}/blobs/uploads/"
        location = session.ask("POST", path, b"").headers.get("location", path)
        body = StreamedBody([b"small"], None)
        small = session.ask("PATCH", session.follow(path, location), body)
    except Unreachable:
        return findings.PUSH_FAILS.found(f"{error}.")
    if small.status != 202:
        return findings.PUSH_FAILS.found(f"{error}.")
    return requests_findings.BODY_LIMIT.found(
        f"A small body is accepted, a larger one fails: {error}."
    )


def _failure(reply: Reply, expected: FindingType, request: str) -> Finding:
    detail = f"{request} is answered {reply.summary}."
    if reply.status == 413:
        return requests_findings.BODY_LIMIT.found(detail)
    if reply.status == 403 and reply.has_error:
        return findings.PUSH_REFUSED.found(detail)
    if "SIZE_INVALID" in reply.codes:
        return findings.CONTENT_CHANGED.found(detail)
    # The registry answers 501 if the server hides chunked bodies. 411 requires a
    # length, and 400 is a wrong digest.
    if reply.status in (411, 501) or (reply.status == 400 and reply.is_registry):
        return expected.found(detail)
    return findings.PUSH_FAILS.found(detail)


def _arrived(session: Session, location: str) -> int | None:
    """Return how many bytes of an upload are stored, or None for an unknown upload.

    In a bucket, the bytes are in memory until they fill a part. The lease of the
    process that reads them then counts as one byte.
    """
    uuid = urlsplit(location).path.rpartition("/")[2]
    catalog = session.target.parts.catalog
    deadline = time.monotonic() + ARRIVAL_TIMEOUT
    # An open transaction may not see the upload, which another process has begun.
    catalog.release()
    while True:
        try:
            length = session.target.parts.storage.upload_length(uuid)
        except BlobUploadUnknown:
            return None
        length = length or int(catalog.bucket_uploads.is_leased(uuid))
        catalog.release()
        if length or time.monotonic() > deadline:
            return length
        time.sleep(0.05)
