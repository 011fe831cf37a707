"""Findings about requests that something on the way answers, or changes."""

from __future__ import annotations

import typing as t

from .finding import Finding
from .finding import kind

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

HTML_ERRORS = kind(
    "errors-replaced",
    "warning",
    "The registry's errors are replaced by pages.",
    "docker prints the registry's words, such as which layer is missing or how much of"
    " a quota is used, and cannot print a page. Some clients fail where a 404 would"
    " have told them to push.",
    nginx="location /v2/ {\n    proxy_intercept_errors off;\n}",
    apache="ProxyErrorOverride Off",
    caddy="# No handle_errors for /v2/*, and no handle_response",
    traefik="# Not: the middleware errors",
    python="@app.after_request\ndef decorate(response):\n    if request.blueprint =="
    " registry.blueprint.name:\n        return response\n    ...",
)
METHODS_BLOCKED = kind(
    "methods-blocked",
    "error",
    "Requests that change something do not arrive.",
    "docker pushes with POST, PATCH and PUT, and other clients delete with DELETE. A"
    " firewall, or a check for CSRF tokens, is in the way; the registry takes no"
    " cookies, so there is nothing to forge.",
    python="@app.before_request\ndef check_csrf():\n    if request.blueprint =="
    " registry.blueprint.name:\n        return None\n    ...",
    nginx="# Not: limit_except GET POST { deny all; }",
    apache="# Not: <LimitExcept GET POST>, nor the rules of mod_security for /v2/",
    caddy="# No matcher method in front of reverse_proxy",
    traefik="# No Method() in the rule",
)
PATHS_CHANGED = kind(
    "paths-changed",
    "warning",
    "Addresses arrive changed.",
    "Some clients send sha256%3A… for sha256:…, and have to be understood.",
    nginx="proxy_pass http://127.0.0.1:8000;  # Without a path behind the port.",
    apache='AllowEncodedSlashes NoDecode\nProxyPass "/v2/"'
    ' "http://127.0.0.1:8000/v2/" nocanon',
)
SLASHES_CHANGED = kind(
    "slashes-changed",
    "note",
    "Encoded or double slashes in addresses are answered on the way.",
    "No usual client sends them. One that does hears the proxy's words, or follows a"
    " redirect, in the place of the registry's error.",
    nginx="merge_slashes off;",
    apache="AllowEncodedSlashes NoDecode\nMergeSlashes Off",
)
BODY_LIMIT = kind(
    "body-limit",
    "error",
    "Large bodies are refused before the registry sees them.",
    "A layer is one body, and often has several gigabytes. docker push prints 413, or"
    " tries again for ever. OCI_MAX_BLOB_SIZE is the registry's own limit.",
    nginx="client_max_body_size 0;",
    apache="LimitRequestBody 0\nSecRequestBodyAccess Off  # With mod_security.",
    caddy="# No request_body max_size for /v2/*",
    traefik="# Not: the middleware buffering with maxRequestBodyBytes",
    command="waitress-serve --max-request-body-size 107374182400 …",
    python="@app.before_request\ndef limit_size():\n    if request.blueprint =="
    " registry.blueprint.name:\n        return None\n    ...",
)
HEADER_LIMIT = kind(
    "header-limit",
    "warning",
    "Long headers or addresses are refused.",
    "A token that covers several repositories has some kilobytes, and so has the"
    " address by which it is asked for.",
    nginx="large_client_header_buffers 4 16k;",
    apache="LimitRequestFieldSize 16380\nLimitRequestLine 16380",
    command="gunicorn --limit-request-line 8190 --limit-request-field_size 16380 …",
)
RATE_LIMITED = kind(
    "rate-limited",
    "error",
    "Requests are limited to fewer than a push needs.",
    "docker sends some ten requests for each layer, several at once: a push of an image"
    " ends with 429, toomanyrequests.",
    python='limiter.exempt(registry.blueprint)\n# Or: limiter.limit("2000 per'
    ' minute")(registry.blueprint)',
)
HTTPS_FORCED = kind(
    "https-forced",
    "warning",
    "The application redirects what is not https, and does not know what is.",
    "A proxy that terminates TLS speaks plain HTTP to it. Without ProxyFix, every"
    " request is redirected to where it came from.",
    python="from werkzeug.middleware.proxy_fix import ProxyFix\n\napp.wsgi_app ="
    " ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)",
    nginx="proxy_set_header X-Forwarded-Proto $scheme;",
)


def look(visit: Session) -> Iterator[Finding]:
    """Send what proxies and hooks of a host like to answer themselves."""
    name = visit.subject.repository
    reply = visit.ask("GET", f"/v2/{name}/manifests/none")
    yield from _methods(visit, name)
    yield from _limits(visit, name)
    if not reply.has_error:
        # Who answered something cannot be told any more.
        yield HTML_ERRORS.found(f"An unknown image is answered {reply.summary}.")
        return
    yield from _paths(visit, name)
    reply = visit.ask(
        "GET",
        f"/v2/{name}/tags/list?n={'1' * LONG_QUERY}",
        headers={"X-Check": "x" * LONG_HEADER},
    )
    if not reply.is_registry:
        yield HEADER_LIMIT.found(f"{LONG_HEADER} bytes are answered {reply.summary}.")


def hurry(visit: Session) -> Iterator[Finding]:
    """Send as many requests at once as docker does in a minute."""
    for count in range(1, BURST + 1):
        reply = visit.ask("GET", "/v2/", anonymous=True)
        if reply.status == 429:
            yield RATE_LIMITED.found(f"Request number {count} is answered 429.")
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
        yield METHODS_BLOCKED.found(
            f"{', '.join(blocked)}: without credentials, {method} is answered {answer},"
            " and not 401 with a challenge."
        )


def _is_challenge(headers: dict[str, str]) -> bool:
    return "www-authenticate" in headers


def _paths(visit: Session, name: str) -> Iterator[Finding]:
    plain = visit.ask("GET", f"/v2/{name}/blobs/{_DIGEST}")
    encoded = visit.ask("GET", f"/v2/{name}/blobs/{_DIGEST.replace(':', '%3A')}")
    if (plain.status, plain.is_registry) != (encoded.status, encoded.is_registry):
        yield PATHS_CHANGED.found(f"With %3A, the answer is {encoded.summary}.")
    changed = [
        path
        for path in (f"/v2/{name.replace('/', '%2F')}/tags/list", "/v2//none/tags/list")
        if not visit.ask("GET", path).is_registry
    ]
    if changed:
        yield SLASHES_CHANGED.found(f"{changed[0]} is not answered by the registry.")


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
    yield BODY_LIMIT.found(f"One of {refused // MIB} MiB is answered 413.")
