"""Findings about requests that something on the way answers, or changes."""

from __future__ import annotations

import typing as t

from .finding import Finding
from .findings import requests as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session

MIB: t.Final = 1024 * 1024

#: A body that any limit would refuse, and then where a limit may be, in bytes.
HUGE: t.Final = 32 * 1024 * MIB
LIMITS: t.Final = (1 * MIB, 16 * MIB, 128 * MIB, 1024 * MIB, 10 * 1024 * MIB)

#: How many requests docker may well send in the minute in which it pushes an image.
BURST: t.Final = 200

#: How many bytes a header, and an address, may have that clients really send.
LONG_HEADER: t.Final = 4000
LONG_QUERY: t.Final = 2000

_DIGEST = "sha256:" + "0" * 64
_SESSION = "00000000-0000-4000-8000-000000000000"


def look(visit: Session) -> Iterator[Finding]:
    """Send what proxies and hooks of a host like to answer themselves."""
    name = visit.subject.repository
    reply = visit.ask("GET", f"/v2/{name}/manifests/none")
    yield from _methods(visit, name)
    yield from _limits(visit, name)
    if not reply.has_error:
        # Who answered something cannot be told any more.
        yield findings.HTML_ERRORS.found(
            f"An unknown image is answered {reply.summary}."
        )
        return
    yield from _paths(visit, name)
    reply = visit.ask(
        "GET",
        f"/v2/{name}/tags/list?n={'1' * LONG_QUERY}",
        headers={"X-Check": "x" * LONG_HEADER},
    )
    if not reply.is_registry:
        yield findings.HEADER_LIMIT.found(
            f"{LONG_HEADER} bytes are answered {reply.summary}."
        )


def hurry(visit: Session) -> Iterator[Finding]:
    """Send as many requests at once as docker does in a minute."""
    for count in range(1, BURST + 1):
        reply = visit.ask("GET", "/v2/", anonymous=True)
        if reply.status == 429:
            yield findings.RATE_LIMITED.found(
                f"Request number {count} is answered 429."
            )
            return


def _methods(visit: Session, name: str) -> Iterator[Finding]:
    blocked = {}
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        path = f"/v2/{name}/blobs/uploads/"
        path += "" if method == "POST" else _SESSION
        reply = visit.ask(method, path, b"", anonymous=True)
        # Errors that were replaced on the way say nothing about the method.
        if reply.status not in (401, 429) or not _is_challenge(reply.headers):
            blocked[method] = reply.summary
    if blocked:
        method, answer = next(iter(blocked.items()))
        yield findings.METHODS_BLOCKED.found(
            f"{', '.join(blocked)}: without credentials, {method} is answered {answer},"
            " and not 401 with a challenge."
        )


def _is_challenge(headers: dict[str, str]) -> bool:
    return "www-authenticate" in headers


def _paths(visit: Session, name: str) -> Iterator[Finding]:
    plain = visit.ask("GET", f"/v2/{name}/blobs/{_DIGEST}")
    encoded = visit.ask("GET", f"/v2/{name}/blobs/{_DIGEST.replace(':', '%3A')}")
    if (plain.status, plain.is_registry) != (encoded.status, encoded.is_registry):
        yield findings.PATHS_CHANGED.found(
            f"With %3A, the answer is {encoded.summary}."
        )
    changed = [
        path
        for path in (f"/v2/{name.replace('/', '%2F')}/tags/list", "/v2//none/tags/list")
        if not visit.ask("GET", path).is_registry
    ]
    if changed:
        yield findings.SLASHES_CHANGED.found(
            f"{changed[0]} is not answered by the registry."
        )


def _limits(visit: Session, name: str) -> Iterator[Finding]:
    path = f"/v2/{name}/blobs/uploads/{_SESSION}"
    for length in (HUGE, *LIMITS):
        reply = visit.announce("PATCH", path, length)
        if reply is not None and reply.status == 413:
            refused = length
        elif length == HUGE:
            return
        else:
            continue
        if length != HUGE:
            break
    yield findings.BODY_LIMIT.found(f"One of {refused // MIB} MiB is answered 413.")
