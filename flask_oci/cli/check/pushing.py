"""Findings on the way in: a layer is pushed, as docker does it and as others do."""

from __future__ import annotations

import hashlib
import secrets
import time
import typing as t
from urllib.parse import urlsplit

from ...errors import BlobUploadUnknown
from .finding import Finding
from .finding import kind
from .login import OTHER_DATABASE
from .requests import BODY_LIMIT
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

PUSH_FAILS = kind(
    "push-fails",
    "error",
    "A layer cannot be pushed.",
    "docker push fails, or tries again until somebody ends it.",
    nginx="location /v2/ {\n    proxy_pass http://127.0.0.1:8000;\n"
    "    proxy_read_timeout 900s;\n    proxy_send_timeout 900s;\n}",
)
PUSH_REFUSED = kind(
    "push-refused",
    "warning",
    "The registry lets this user push no layer.",
    "docker push prints the reason and ends. Most likely a quota is full, or a rule of"
    " the application's forbids it.",
    command="flask oci quota show --owner alice\nflask oci who-can alice/app",
)
CHUNKED_REFUSED = kind(
    "chunked-refused",
    "error",
    "Bodies without an announced length are refused or lost.",
    "docker sends each layer with Transfer-Encoding: chunked. The WSGI server, or a"
    " proxy, has to pass that on; uWSGI does not, and nginx speaks HTTP/1.0 to the"
    " application by default.",
    nginx="proxy_http_version 1.1;\nproxy_request_buffering off;",
    apache="SetEnv proxy-sendchunked",
    command="gunicorn --worker-class gthread --threads 8 'forge:create_app()'",
)
CONTENT_CHANGED = kind(
    "content-changed",
    "error",
    "What arrives is not what was sent.",
    "A layer is known by its digest, so a single byte makes the push fail. Something"
    " reads the body, or part of it, before the registry does.",
    python="@app.before_request\ndef read_form():\n    if request.blueprint =="
    " registry.blueprint.name:\n        return None\n    ...",
)
BUFFERED = kind(
    "uploads-buffered",
    "warning",
    "Uploads are collected on the way, and arrive when they are whole.",
    "A layer is written twice, the proxy's disk may be too small for it, docker waits"
    " at its end while the registry reads it all, and an upload that breaks off cannot"
    " go on from where it was. Waitress does that by design.",
    nginx="proxy_request_buffering off;\nproxy_http_version 1.1;",
    apache="SetEnv proxy-sendchunked",
    traefik="# Not: the middleware buffering",
    caddy="# No request_buffers in reverse_proxy",
    command="gunicorn --worker-class gthread --threads 8 'forge:create_app()'  # Not"
    " waitress-serve.",
)
EXPECT_REFUSED = kind(
    "expect-refused",
    "warning",
    "Clients may not ask before they send a body.",
    "With Expect: 100-continue, a client that is refused need not send its layer"
    " first.",
    command="gunicorn --worker-class gthread --threads 8 'forge:create_app()'",
)
LOCATION_WRONG = kind(
    "location-wrong",
    "error",
    "The registry's redirections lead elsewhere.",
    "After POST, docker sends the layer to where Location says. The registry writes a"
    " path without a host, which something on the way has changed.",
    nginx="proxy_redirect off;",
    apache="# ProxyPassReverse with the very address of ProxyPass, or without it",
)


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
        yield _failure(reply, PUSH_FAILS, "POST")
        return None
    here = visit.transport.name or visit.subject.url
    if urlsplit(location).netloc and here and origin(location) != origin(here):
        yield LOCATION_WRONG.found(f"Location is {location}.")
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
        yield _failure(reply, CHUNKED_REFUSED, "A chunked PATCH")
        return False
    if seen == [0]:
        yield BUFFERED.found(
            f"{AHEAD // MIB} MiB were sent, and none had arrived {ON_THE_WAY:.0f}"
            " seconds later."
        )
    elif seen == [None]:
        yield OTHER_DATABASE.found("What is sent to it arrives in another folder.")
    if reply.headers.get("range") != f"0-{len(content) - 1}":
        stored = reply.headers.get("range", "nothing")
        yield CONTENT_CHANGED.found(f"Of {len(content)} bytes, {stored} arrived.")
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
        yield EXPECT_REFUSED.found("Expect: 100-continue is answered 417.")
        return False
    if reply.status != 201:
        yield _failure(reply, CONTENT_CHANGED, "A PUT")
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
        return PUSH_FAILS.found(f"{error}.")
    if small.status != 202:
        return PUSH_FAILS.found(f"{error}.")
    return BODY_LIMIT.found(f"A small body passes, a larger one ends: {error}.")


def _failure(reply: Reply, known: t.Any, what: str) -> Finding:
    words = f"{what} is answered {reply.summary}."
    if reply.status == 413:
        return BODY_LIMIT.found(words)
    if reply.status == 403 and reply.has_error:
        return PUSH_REFUSED.found(words)
    # 501 is ours: the server hides chunked bodies. 411 wants a length, 400 a digest.
    if reply.status in (411, 501) or (reply.status == 400 and reply.is_registry):
        return t.cast(Finding, known.found(words))
    return PUSH_FAILS.found(words)


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
