"""Checks of requests that a proxy or a hook may answer or change."""

from __future__ import annotations

import typing as t

from ...rules.quota import readable
from .finding import Finding
from .findings import requests as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session

MIB: t.Final = 1024 * 1024

#: A body that exceeds every limit, and common limits, in bytes.
HUGE: t.Final = 32 * 1024 * MIB
LIMITS: t.Final = (1 * MIB, 16 * MIB, 128 * MIB, 1024 * MIB, 10 * 1024 * MIB)

#: How many requests docker may send in a minute while it pushes an image.
BURST: t.Final = 200

#: The sizes of a header and of a query that real clients send, in bytes.
LONG_HEADER: t.Final = 4000
LONG_QUERY: t.Final = 2000

_DIGEST = "sha256:" + "0" * 64
_SESSION = "00000000-0000-4000-8000-000000000000"


def check(session: Session) -> Iterator[Finding]:
    """Send requests that proxies and hooks of the host often answer themselves."""
    name = session.target.repository
    reply = session.ask("GET", f"/v2/{name}/manifests/none")
    yield from _methods(session, name)
    yield from _limits(session, name)
    if not reply.has_error:
        # Without the registry's errors, the next checks cannot tell who answered.
        yield findings.HTML_ERRORS.found(
            f"A request for an unknown image is answered {reply.summary}."
        )
        return
    yield from _paths(session, name)
    reply = session.ask(
        "GET",
        f"/v2/{name}/tags/list?n={'1' * LONG_QUERY}",
        headers={"X-Check": "x" * LONG_HEADER},
    )
    if not reply.is_registry:
        yield findings.HEADER_LIMIT.found(
            f"A header of {LONG_HEADER} bytes is answered {reply.summary}."
        )


def check_rate_limit(session: Session) -> Iterator[Finding]:
    """Send as many requests at once as docker does in a minute."""
    for count in range(1, BURST + 1):
        reply = session.ask("GET", "/v2/", anonymous=True)
        if reply.status == 429:
            yield findings.RATE_LIMITED.found(f"Request {count} is answered 429.")
            return


def _methods(session: Session, name: str) -> Iterator[Finding]:
    blocked = {}
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        path = f"/v2/{name}/blobs/uploads/"
        path += "" if method == "POST" else _SESSION
        reply = session.ask(method, path, b"", anonymous=True)
        # A replaced error does not show if the method is blocked.
        if reply.status not in (401, 429) or not _is_challenge(reply.headers):
            blocked[method] = reply.summary
    if blocked:
        method, answer = next(iter(blocked.items()))
        yield findings.METHODS_BLOCKED.found(
            f"{', '.join(blocked)}: without credentials, {method} is answered {answer},"
            " not 401 with a challenge."
        )


def _is_challenge(headers: dict[str, str]) -> bool:
    return "www-authenticate" in headers


def _paths(session: Session, name: str) -> Iterator[Finding]:
    plain = session.ask("GET", f"/v2/{name}/blobs/{_DIGEST}")
    encoded = session.ask("GET", f"/v2/{name}/blobs/{_DIGEST.replace(':', '%3A')}")
    if (plain.status, plain.is_registry) != (encoded.status, encoded.is_registry):
        yield findings.PATHS_CHANGED.found(
            f"With %3A, the answer is {encoded.summary}."
        )
    changed = [
        path
        for path in (f"/v2/{name.replace('/', '%2F')}/tags/list", "/v2//none/tags/list")
        if not session.ask("GET", path).is_registry
    ]
    if changed:
        yield findings.SLASHES_CHANGED.found(
            f"The registry does not answer {changed[0]}."
        )


def _limits(session: Session, name: str) -> Iterator[Finding]:
    path = f"/v2/{name}/blobs/uploads/{_SESSION}"
    for length in (HUGE, *LIMITS):
        reply = session.announce("PATCH", path, length)
        if reply is not None and reply.status == 413:
            refused = length
        elif length == HUGE:
            return
        else:
            continue
        if length != HUGE:
            break
    yield findings.BODY_LIMIT.found(f"A body of {readable(refused)} is answered 413.")
