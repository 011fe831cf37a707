"""Findings about what the host has told Flask and the registry."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from ...catalog import RepositoryInfo
from ...spec.scope import ACTIONS
from .finding import Finding
from .findings import settings as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...spec.scope import Action
    from .target import Target

#: How many characters a key should have that nobody can guess.
ENOUGH: t.Final = 16

#: Keys that are in every tutorial, and so in every list to try.
WELL_KNOWN: t.Final = frozenset(
    [
        "a secret key",
        "change me",
        "change-me",
        "changeme",
        "dev",
        "development",
        "default",
        "flask",
        "key",
        "mysecret",
        "mysecretkey",
        "my-secret-key",
        "my_secret_key",
        "password",
        "replace-me",
        "secret",
        "secret key",
        "secret-key",
        "secret_key",
        "secretkey",
        "supersecret",
        "super-secret",
        "super secret",
        "super-secret-key",
        "supersecretkey",
        "test",
        "testing",
        "thisisasecret",
        "top secret",
        "you-will-never-guess",
        "your-secret-key",
        "your_secret_key",
        "your-secret-key-here",
        "hard to guess string",
        "not-so-secret",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    ]
)


def look(subject: Target) -> Iterator[Finding]:
    """Look at what is configured."""
    yield from _secret_key(subject.app.secret_key)
    yield from _modes(subject)
    config, hooks = subject.parts.config, subject.parts.hooks
    if config.password_login and hooks.authenticate is None:
        yield findings.AUTHENTICATE_MISSING.found("There is no @registry.authenticate.")
    yield from _address(subject)


def ask_policy(subject: Target) -> Iterator[Finding]:
    """Ask the policy about somebody who has not signed in, as requests do."""
    repository = RepositoryInfo(subject.repository)
    try:
        allowed = [a for a in ACTIONS if nobody_may(subject, a)]
    except Exception as error:
        name = type(error).__name__
        yield findings.POLICY_FAILS.found(
            f"Asked about nobody, it raises {name}: {error}."
        )
        return
    if "push" in allowed or "delete" in allowed:
        yield findings.STRANGERS_PUSH.found(f"Nobody may {' and '.join(allowed)}.")
    elif "pull" in allowed:
        yield findings.STRANGERS_PULL.found(f"Nobody may pull {repository.name}.")


def nobody_may(subject: Target, action: Action) -> bool:
    """Tell whether who has not signed in may do something to a new repository."""
    with subject.app.test_request_context("/v2/"):
        try:
            subject.parts.policy.list_filter(None)
            repository = RepositoryInfo(subject.repository)
            return subject.parts.policy.is_allowed(None, action, repository)
        except HTTPException:
            # The host's way to say no, with a reason.
            return False


def proxy_fix(app: t.Any) -> ProxyFix | None:
    """Return the middleware that reads what a proxy says, if there is one."""
    inner = app.wsgi_app
    while inner is not None and not isinstance(inner, ProxyFix):
        inner = getattr(inner, "app", None) or getattr(inner, "wsgi_app", None)
    return inner


def _secret_key(key: str | bytes | None) -> Iterator[Finding]:
    if not key:
        yield findings.KEY_MISSING.found("SECRET_KEY is not set.")
        return
    text = key.decode("latin-1") if isinstance(key, bytes) else key
    if text.strip().lower() in WELL_KNOWN:
        yield findings.KEY_KNOWN.found("It is one that every tutorial has.")
    elif len(text) < ENOUGH or len(set(text)) < ENOUGH // 4:
        yield findings.KEY_KNOWN.found(
            f"It has {len(text)} characters, {len(set(text))} of them different."
        )


def _modes(subject: Target) -> Iterator[Finding]:
    if subject.app.debug:
        yield findings.DEBUG.found("findings.DEBUG is on.")
    if subject.app.testing:
        yield findings.TESTING.found("findings.TESTING is on.")


def _address(subject: Target) -> Iterator[Finding]:
    if subject.url is None:
        return
    told = subject.parts.config.external_url
    if told and origin(told) != origin(subject.url):
        yield findings.URL_DIFFERS.found(
            f"It is {told}, and the check was given {subject.url}."
        )
    fix = proxy_fix(subject.app)
    if urlsplit(subject.url).scheme == "https" and (fix is None or not fix.x_for):
        yield findings.ADDRESS_HIDDEN.found("There is no ProxyFix with x_for.")


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").lower(), port
