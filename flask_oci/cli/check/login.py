"""Findings at the entrance: is it a registry, and can one sign in to it?"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote
from urllib.parse import urlsplit

from ...auth.signed_tokens import Claims
from .finding import Finding
from .finding import kind
from .settings import KEY_PER_PROCESS
from .settings import origin
from .settings import STRANGERS_PUSH

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .transport import Reply

#: How often a token is shown, so that it meets several workers of a server.
SHOWN: t.Final = 16

_SPARED = """\
@app.before_request
def require_login():
    if request.blueprint == registry.blueprint.name:
        return None  # The registry asks for credentials in docker's own way.
    ..."""

_PROXY_FIX = """\
from werkzeug.middleware.proxy_fix import ProxyFix

app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)"""

_FORWARDED = {
    "nginx": (
        "proxy_set_header Host $http_host;\n"
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
        "proxy_set_header X-Forwarded-Host $http_host;\n"
        "proxy_set_header X-Forwarded-Proto $scheme;"
    ),
    "apache": 'ProxyPreserveHost On\nRequestHeader set X-Forwarded-Proto "https"',
    "caddy": "reverse_proxy 127.0.0.1:8000  # Sends all of them by itself.",
    "traefik": "passHostHeader: true",
}

NOT_AT_ROOT = kind(
    "not-at-root",
    "error",
    "There is no registry at /v2/.",
    "docker asks for /v2/ at the root of the host, whatever prefix the rest of the"
    " application has. Hand that path to the application as it is.",
    python="app.register_blueprint(registry.blueprint)  # No url_prefix, no subdomain.",
    nginx="location /v2/ {\n    proxy_pass http://127.0.0.1:8000;\n}",
    apache='ProxyPass "/v2/" "http://127.0.0.1:8000/v2/" nocanon',
    caddy="handle /v2/* {\n    reverse_proxy 127.0.0.1:8000\n}",
    traefik="rule: Host(`forge.example.org`) && PathPrefix(`/v2/`)",
)
REDIRECTED = kind(
    "redirected",
    "error",
    "The registry's address leads elsewhere.",
    "docker does not sign in on pages, and loses the body of a push on the way. A page"
    " to sign in on is a hook of the application's; a redirect from https to https is"
    " an application that does not know what the proxy was asked for.",
    python=f"{_SPARED}\n\n{_PROXY_FIX}",
    **_FORWARDED,
)
STRANGERS_WALLED = kind(
    "strangers-walled",
    "warning",
    "Who has no account is kept from what is public.",
    "docker pulls public images with a token that was made for nobody, and the"
    " application's hook takes its bearer for somebody who has to sign in. Have it"
    " leave the registry out; or say that everybody has to sign in here, too.",
    python=f"{_SPARED}\n\n# Or:\nOCI_REQUIRE_LOGIN = True",
)
WALLED = kind(
    "users-walled",
    "error",
    "The application refuses people who have signed in.",
    "A hook of the application's wants something else first, such as a page to be read,"
    " which docker cannot.",
    python=_SPARED,
)
FAILS = kind(
    "registry-fails",
    "error",
    "The registry answers with an error of the server.",
    "docker tries again for a while, and gives up. The log of the application says"
    " what happened.",
    command="journalctl -u forge",
)
NO_CHALLENGE = kind(
    "challenge-missing",
    "error",
    "Nobody is told how to sign in.",
    "docker login takes the address for a registry that wants nothing, or for none, and"
    " every push fails. The answer to GET /v2/ is 401 with WWW-Authenticate: Bearer.",
    nginx="# Not: auth_basic, auth_request, proxy_hide_header WWW-Authenticate;",
    apache="# Not: AuthType Basic, Require valid-user, Header unset WWW-Authenticate",
    caddy="# Not: basicauth, forward_auth, header -WWW-Authenticate",
    traefik="# Not: the middlewares basicAuth and forwardAuth",
)
REALM_WRONG = kind(
    "realm-wrong",
    "error",
    "Clients are sent to the wrong place for their tokens.",
    "The challenge has the address of the token endpoint in it. docker login fails"
    " there, or sends a password over plain HTTP. The application has to know the"
    " address that its clients use.",
    python=f"{_PROXY_FIX}\n\n# Or, whatever the proxy sends:\nOCI_EXTERNAL_URL ="
    ' "https://forge.example.org"',
    **_FORWARDED,
)
TOKEN_REFUSED = kind(
    "token-endpoint-fails",
    "error",
    "There are no tokens to be had.",
    "docker login says that the token could not be had, and nobody can push.",
    nginx="location /v2/ {  # /v2/token is below it.\n    proxy_pass"
    " http://127.0.0.1:8000;\n}",
)
STRIPPED = kind(
    "authorization-stripped",
    "error",
    "Credentials do not arrive.",
    "docker logs in, and is told to log in again: the header Authorization is lost on"
    " the way.",
    nginx='# Not: proxy_set_header Authorization "";',
    apache="CGIPassAuth On  # And not: RequestHeader unset Authorization",
    caddy="# Not: header_up -Authorization",
    traefik="# basicAuth with removeHeader: true takes it away.",
)
OTHER_KEY = kind(
    "other-key",
    "warning",
    "The server has another secret key, or another OCI_SERVICE, than this command.",
    "Either each process makes up its own, and docker is refused after every restart;"
    " or this command does not run in the server's environment, and looks at another"
    " application than clients do.",
    python='SECRET_KEY = os.environ["SECRET_KEY"]',
    command="systemd-run --pty --property=EnvironmentFile=/etc/forge.env flask oci"
    " check",
)
OTHER_DATABASE = kind(
    "other-database",
    "warning",
    "The server does not know what this command has recorded.",
    "It has another database, or another secret key. What flask oci does, it does not"
    " to what your clients see.",
    command="systemd-run --pty --property=EnvironmentFile=/etc/forge.env flask oci"
    " check",
)
HEADERS_STRIPPED = kind(
    "headers-stripped",
    "warning",
    "Headers of the registry's answers are lost.",
    "Clients compare Docker-Content-Digest with what they got, and some take an address"
    " without Docker-Distribution-Api-Version for no registry.",
    nginx="# Not: proxy_hide_header Docker-Content-Digest;\n\n# Where nginx sends the"
    " files:\nlocation /_oci_blobs/ {\n    add_header Docker-Content-Digest"
    " $upstream_http_docker_content_digest;\n}",
    apache="# Not: Header unset Docker-Content-Digest",
    caddy="# Not: header -Docker-*",
    traefik="# Not: customResponseHeaders with empty values",
)

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
        yield HEADERS_STRIPPED.found("There is no Docker-Distribution-Api-Version.")
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', reply.headers["www-authenticate"]))
    realm = challenge.get("realm", "")
    wanted = visit.transport.name or visit.subject.url
    if wanted and origin(realm) != origin(wanted):
        yield REALM_WRONG.found(f"The challenge names {realm}.")
    yield from _fetch(visit, urlsplit(realm).path, challenge.get("service", ""))
    if visit.bearer:
        yield from _show(visit)


def _trouble(reply: Reply) -> Finding | None:
    if reply.is_redirect:
        return REDIRECTED.found(f"GET /v2/ is answered {reply.summary}.")
    if reply.status >= 500:
        return FAILS.found(f"GET /v2/ is answered {reply.summary}.")
    if reply.status == 200 and reply.is_registry:
        return NO_CHALLENGE.found("GET /v2/ is answered 200 without credentials.")
    if reply.status != 401:
        return NOT_AT_ROOT.found(f"GET /v2/ is answered {reply.summary}.")
    challenge = reply.headers.get("www-authenticate", "")
    if not challenge.startswith("Bearer "):
        return NO_CHALLENGE.found(f"WWW-Authenticate is {challenge or 'not there'}.")
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
            yield STRANGERS_PUSH.found(f"A token for nobody may {granted}.")
        return
    if "push" not in granted:
        if visit.transport.name:
            # It has been tried without a proxy, and was good for it.
            yield STRIPPED.found("A token that was asked for with one is nobody's.")
        visit.passed_over.append(
            f"Pushing and pulling, since the user may not push to {name}; --repository"
            " says where they may."
        )
    visit.pushes = "push" in granted


def _refused(visit: Session, reply: Reply) -> Finding:
    known = visit.rehearsal.authorization is not None
    what = f"The token endpoint answers {reply.summary}."
    if reply.status not in (401, 403) or not reply.is_registry:
        return TOKEN_REFUSED.found(what)
    if known and reply.status == 401 and visit.transport.name:
        return OTHER_DATABASE.found("It refuses an access token that was just made.")
    return (WALLED if known else STRANGERS_WALLED).found(what)


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
        yield KEY_PER_PROCESS.found(what)
    elif first.status >= 500:
        yield FAILS.found(f"GET /v2/ with a token is answered {first.summary}.")
    elif first.status == 401 and not _arrives(visit):
        yield STRIPPED.found("A request with a token is answered as one without.")
    else:
        wall = WALLED if visit.rehearsal.authorization else STRANGERS_WALLED
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
        yield OTHER_KEY.found("It refuses a token that this command has signed.")
