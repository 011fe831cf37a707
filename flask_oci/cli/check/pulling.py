"""Findings on the way out: what was pushed comes back, as it was, to whom it may."""

from __future__ import annotations

import hashlib
import typing as t

from .finding import Finding
from .finding import kind
from .login import HEADERS_STRIPPED
from .settings import nobody_may

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .transport import Reply

PULL_FAILS = kind(
    "pull-fails",
    "error",
    "A layer cannot be pulled.",
    "docker pull fails, or tries again until somebody ends it.",
    nginx="location /v2/ {\n    proxy_pass http://127.0.0.1:8000;\n}",
)
COMPRESSED = kind(
    "compressed",
    "warning",
    "Layers are compressed on the way.",
    "They are compressed already: it takes time, and the length and the digest that"
    " docker is told are no longer those of what it gets. It cannot go on with a"
    " download that broke off.",
    python='COMPRESS_MIMETYPES = ["text/html", "text/css", "application/javascript"]',
    nginx="location /v2/ {\n    gzip off;\n}",
    apache="SetEnvIf Request_URI ^/v2/ no-gzip",
    caddy="@pages not path /v2/*\nencode @pages gzip",
    traefik="# Not: the middleware compress on the router of /v2/",
)
DAMAGED = kind(
    "download-damaged",
    "error",
    "What is pulled is not what was pushed.",
    "docker compares digests, and throws the layer away.",
    nginx="# Not: sub_filter, and no other filter, for /v2/",
    apache="# Not: SetOutputFilter for /v2/",
)
LENGTH_LOST = kind(
    "length-lost",
    "warning",
    "Answers do not say how long they are.",
    "HEAD tells docker how large a layer is, and Content-Length whether it got all of"
    " it.",
    nginx="location /v2/ {\n    gzip off;\n}",
    python="@app.after_request\ndef decorate(response):\n    if request.blueprint =="
    " registry.blueprint.name:\n        return response\n    ...",
)
RANGES_IGNORED = kind(
    "ranges-ignored",
    "warning",
    "Parts of a layer cannot be asked for.",
    "A download that broke off begins anew, and clients that fetch lazily fetch it"
    " all.",
    nginx='# Not: proxy_set_header Range "";',
    apache="# Not: RequestHeader unset Range, MaxRanges none",
    traefik="# Not: the middleware buffering",
)
CACHED = kind(
    "private-cached",
    "error",
    "Something on the way hands out private images to everybody.",
    "It keeps answers that were for one user, and gives them to the next who asks,"
    " without asking the registry.",
    nginx="location /v2/ {\n    proxy_cache off;\n}",
    apache='CacheDisable "/v2/"',
    caddy="# No cache for /v2/*",
)
UNSENT = kind(
    "accel-unhandled",
    "error",
    "Nobody sends the files that the registry leaves to the proxy.",
    "Pulls are answered with nothing but the name of a file. Take the setting back, or"
    " declare the location.",
    nginx="location /_oci_blobs/ {\n    internal;\n    alias /srv/forge/oci/;\n"
    "    add_header Docker-Content-Digest $upstream_http_docker_content_digest;\n}",
    apache='XSendFile On\nXSendFilePath "/srv/forge/oci"',
    python="OCI_ACCEL_REDIRECT = None\nUSE_X_SENDFILE = False",
)

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
        yield PULL_FAILS.found(f"HEAD is answered {head.summary}.")
        return
    if head.headers.get("content-length") != str(visit.size):
        told = head.headers.get("content-length", "none")
        yield LENGTH_LOST.found(f"HEAD says {told}, and it is {visit.size}.")
    whole = visit.ask("GET", path, headers={"Accept-Encoding": "gzip"})
    if any(name in whole.headers for name in _LEFT):
        # Without a proxy there is nobody to send it, and that is right.
        if visit.transport.name:
            yield UNSENT.found("The answer names a file, and has no content.")
        return
    found = list(_content(whole, digest))
    yield from found
    if found:
        return
    yield from _part(visit, path, whole.body)
    yield from _as_nobody(visit, path)


def _content(whole: Reply, digest: str) -> Iterator[Finding]:
    if whole.status != 200:
        yield PULL_FAILS.found(f"GET is answered {whole.summary}.")
    elif encoding := whole.headers.get("content-encoding"):
        yield COMPRESSED.found(f"Content-Encoding is {encoding}.")
    elif f"sha256:{hashlib.sha256(whole.body).hexdigest()}" != digest:
        yield DAMAGED.found(f"The {len(whole.body)} bytes have another digest.")
    elif "content-length" not in whole.headers:
        yield LENGTH_LOST.found("GET has no Content-Length.")
    if whole.status == 200 and "docker-content-digest" not in whole.headers:
        yield HEADERS_STRIPPED.found("There is no Docker-Content-Digest.")


def _part(visit: Session, path: str, whole: bytes) -> Iterator[Finding]:
    first, last = PART
    part = visit.ask("GET", path, headers={"Range": f"bytes={first}-{last}"})
    if part.status != 206 or len(part.body) != last + 1 - first:
        what = f"{last + 1 - first} bytes, the answer is {part.summary}"
        yield RANGES_IGNORED.found(f"Asked for {what}, with {len(part.body)} bytes.")


def _as_nobody(visit: Session, path: str) -> Iterator[Finding]:
    if nobody_may(visit.subject, "pull"):
        return
    reply = visit.ask("GET", path, anonymous=True)
    if reply.status == 200:
        yield CACHED.found("Without credentials, the answer is 200, with the layer.")
