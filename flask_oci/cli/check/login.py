"""Findings at the entrance: is it a registry, and can one sign in to it?"""

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

#: How often a token is shown, so that it meets several workers of a server.
SHOWN: t.Final = 16


#: What the entrance has to say about itself.
_VERSION = "docker-distribution-api-version"


def look(visit: Session) -> Iterator[Finding]:
    """Come in as docker login does, and remember the token."""
    reply = visit.ask("GET", "/v2/")
    if (trouble := _trouble(reply)) is not None:
        yield trouble
        return
    visit.entered = True
    if _VERSION not in reply.headers:
        yield findings.HEADERS_STRIPPED.found(
            "There is no Docker-Distribution-Api-Version."
        )
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', reply.headers["www-authenticate"]))
    realm = challenge.get("realm", "")
    wanted = visit.transport.name or visit.subject.url
    if wanted and origin(realm) != origin(wanted):
        yield findings.REALM_WRONG.found(f"The challenge names {realm}.")
    yield from _fetch(visit, urlsplit(realm).path, challenge.get("service", ""))
    if visit.bearer:
        yield from _show(visit)


def _trouble(reply: Reply) -> Finding | None:
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
            f"WWW-Authenticate is {challenge or 'not there'}."
        )
    return None


def _fetch(visit: Session, path: str, service: str) -> Iterator[Finding]:
    """Get a token as docker does."""
    name = visit.subject.repository
    scope = quote(f"repository:{name}:pull,push", safe="")
    path = f"{path}?service={quote(service, safe='')}&scope={scope}"
    authorization = visit.rehearsal.authorization
    if authorization is None and visit.subject.parts.config.require_login:
        return
    headers = {"Authorization": authorization} if authorization else {}
    reply = visit.ask("GET", path, headers=headers)
    token = reply.fields.get("token")
    if not isinstance(token, str):
        yield _refused(visit, reply)
        return
    visit.bearer = token
    granted = str(reply.fields.get("scope", ""))
    if authorization is None:
        if "push" in granted:
            yield settings_findings.STRANGERS_PUSH.found(
                f"A token for nobody may {granted}."
            )
        return
    if "push" not in granted:
        if visit.transport.name:
            # It has been tried without a proxy, and was good for it.
            yield findings.STRIPPED.found(
                "A token that was asked for with one is nobody's."
            )
        visit.passed_over.append(
            f"Pushing and pulling, since the user may not push to {name}; --repository"
            " says where they may."
        )
    visit.pushes = "push" in granted


def _refused(visit: Session, reply: Reply) -> Finding:
    known = visit.rehearsal.authorization is not None
    what = f"The token endpoint answers {reply.summary}."
    if reply.status not in (401, 403) or not reply.is_registry:
        return findings.TOKEN_REFUSED.found(what)
    if known and reply.status == 401 and visit.transport.name:
        return findings.OTHER_DATABASE.found(
            "It refuses an access token that was just made."
        )
    return (findings.WALLED if known else findings.STRANGERS_WALLED).found(what)


def _show(visit: Session) -> Iterator[Finding]:
    """Show the token to as many workers as there may be."""
    replies = [visit.ask("GET", "/v2/") for _ in range(SHOWN)]
    bad = [reply for reply in replies if reply.status != 200]
    if not bad:
        yield from _show_own(visit)
        return
    visit.bearer = None
    first = bad[0]
    if _is_invalid(first):
        what = f"{len(bad)} of {SHOWN} requests with one token were refused."
        yield settings_findings.KEY_PER_PROCESS.found(what)
    elif first.status >= 500:
        yield findings.FAILS.found(
            f"GET /v2/ with a token is answered {first.summary}."
        )
    elif first.status == 401 and not _arrives(visit):
        yield findings.STRIPPED.found(
            "A request with a token is answered as one without."
        )
    else:
        wall = (
            findings.WALLED
            if visit.rehearsal.authorization
            else findings.STRANGERS_WALLED
        )
        yield wall.found(f"GET /v2/ with a token is answered {first.summary}.")


def _is_invalid(reply: Reply) -> bool:
    return "invalid_token" in reply.headers.get("www-authenticate", "")


def _arrives(visit: Session) -> bool:
    """Tell whether the registry sees a token: it has something to say about this."""
    nonsense = {"Authorization": "Bearer flask-oci-check"}
    return _is_invalid(visit.ask("GET", "/v2/", anonymous=True, headers=nonsense))


def _show_own(visit: Session) -> Iterator[Finding]:
    """Show a token that this process has signed."""
    if not visit.transport.name or visit.subject.parts.config.require_login:
        return
    own = visit.subject.parts.tokens.sign(Claims("", "", (), None))
    reply = visit.ask(
        "GET", "/v2/", anonymous=True, headers={"Authorization": f"Bearer {own}"}
    )
    if reply.status == 401:
        yield findings.OTHER_KEY.found(
            "It refuses a token that this command has signed."
        )
