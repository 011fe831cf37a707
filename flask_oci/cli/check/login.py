"""Checks of the registry's root and of signing in."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote
from urllib.parse import urlsplit

from ...auth.signed_tokens import Claims
from .finding import Finding
from .findings import login as findings
from .findings import settings as settings_findings
from .settings import origin

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .transport import Reply

#: The number of requests with one token, so that several workers of a server see it.
REPETITIONS: t.Final = 16


#: A header of every response of a registry.
_VERSION = "docker-distribution-api-version"


def check(session: Session) -> Iterator[Finding]:
    """Sign in as docker login does, and store the token in the session."""
    reply = session.ask("GET", "/v2/")
    if (finding := _root_finding(reply)) is not None:
        yield finding
        return
    session.has_registry = True
    if _VERSION not in reply.headers:
        yield findings.HEADERS_STRIPPED.found(
            "There is no header Docker-Distribution-Api-Version."
        )
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', reply.headers["www-authenticate"]))
    realm = challenge.get("realm", "")
    expected = session.transport.name or session.target.url
    if expected and origin(realm) != origin(expected):
        yield findings.REALM_WRONG.found(f"The realm of the challenge is {realm}.")
    yield from _fetch(session, urlsplit(realm).path, challenge.get("service", ""))
    if session.bearer:
        yield from _present(session)


def _root_finding(reply: Reply) -> Finding | None:
    if reply.is_redirect:
        return findings.REDIRECTED.found(f"GET /v2/ is answered {reply.summary}.")
    if reply.status >= 500:
        return findings.FAILS.found(f"GET /v2/ is answered {reply.summary}.")
    if reply.status == 200 and reply.is_registry:
        return findings.NO_CHALLENGE.found(
            "GET /v2/ is answered 200 without credentials."
        )
    if reply.status != 401:
        return findings.NOT_AT_ROOT.found(f"GET /v2/ is answered {reply.summary}.")
    challenge = reply.headers.get("www-authenticate", "")
    if not challenge.startswith("Bearer "):
        return findings.NO_CHALLENGE.found(
            f"WWW-Authenticate is {challenge or 'missing'}."
        )
    return None


def _fetch(session: Session, path: str, service: str) -> Iterator[Finding]:
    """Request a token as docker does."""
    name = session.target.repository
    scope = quote(f"repository:{name}:pull,push", safe="")
    path = f"{path}?service={quote(service, safe='')}&scope={scope}"
    authorization = session.sandbox.authorization
    if authorization is None and session.target.parts.config.require_login:
        return
    headers = {"Authorization": authorization} if authorization else {}
    reply = session.ask("GET", path, headers=headers)
    token = reply.fields.get("token")
    if not isinstance(token, str):
        yield _refused(session, reply)
        return
    session.bearer = token
    granted = str(reply.fields.get("scope", ""))
    if authorization is None:
        if "push" in granted:
            yield settings_findings.ANONYMOUS_PUSH.found(
                f"An anonymous token grants {granted}."
            )
        return
    if "push" not in granted:
        if session.transport.name:
            # The same request, sent to the application itself, was granted.
            yield findings.STRIPPED.found(
                "A token that was requested with credentials is anonymous."
            )
        session.skipped.append(
            f"Pushing and pulling: the user may not push to {name}. Use --repository to"
            " name a namespace that allows it."
        )
    session.may_push = "push" in granted


def _refused(session: Session, reply: Reply) -> Finding:
    known = session.sandbox.authorization is not None
    detail = f"The token endpoint answers {reply.summary}."
    if reply.status not in (401, 403) or not reply.is_registry:
        return findings.TOKEN_REFUSED.found(detail)
    if known and session.transport.name and not _receives_tokens(session):
        # With OCI_REQUIRE_LOGIN, a request without credentials gets no anonymous token.
        return findings.STRIPPED.found(
            "A request with credentials is answered like one without."
        )
    if known and reply.status == 401 and session.transport.name:
        return findings.DATABASE_DIFFERS.found(
            "The server rejects an access token that was just issued."
        )
    return (findings.USERS_BLOCKED if known else findings.ANONYMOUS_BLOCKED).found(
        detail
    )


def _present(session: Session) -> Iterator[Finding]:
    """Send the token often enough to reach several workers."""
    replies = [session.ask("GET", "/v2/") for _ in range(REPETITIONS)]
    bad = [reply for reply in replies if reply.status != 200]
    if not bad:
        yield from _present_own(session)
        return
    session.bearer = None
    first = bad[0]
    if _is_invalid(first):
        detail = f"{len(bad)} of {REPETITIONS} requests with one token were rejected."
        yield settings_findings.KEY_PER_PROCESS.found(detail)
    elif first.status >= 500:
        yield findings.FAILS.found(
            f"GET /v2/ with a token is answered {first.summary}."
        )
    elif first.status == 401 and not _receives_tokens(session):
        yield findings.STRIPPED.found(
            "A request with a token is answered like one without."
        )
    else:
        blocked = (
            findings.USERS_BLOCKED
            if session.sandbox.authorization
            else findings.ANONYMOUS_BLOCKED
        )
        yield blocked.found(f"GET /v2/ with a token is answered {first.summary}.")


def _is_invalid(reply: Reply) -> bool:
    return "invalid_token" in reply.headers.get("www-authenticate", "")


def _receives_tokens(session: Session) -> bool:
    """Return True if the registry rejects an invalid token as invalid."""
    invalid = {"Authorization": "Bearer flask-oci-check"}
    return _is_invalid(session.ask("GET", "/v2/", anonymous=True, headers=invalid))


def _present_own(session: Session) -> Iterator[Finding]:
    """Send a token that this process has signed."""
    if not session.transport.name or session.target.parts.config.require_login:
        return
    own = session.target.parts.tokens.sign(Claims("", "", (), None))
    reply = session.ask(
        "GET", "/v2/", anonymous=True, headers={"Authorization": f"Bearer {own}"}
    )
    if reply.status == 401:
        yield findings.KEY_DIFFERS.found(
            "The server rejects a token that this command has signed."
        )
