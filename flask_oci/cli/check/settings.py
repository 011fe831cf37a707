"""Checks of the settings of Flask and of the registry."""

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

#: The shortest key that cannot be guessed, in characters.
KEY_LENGTH: t.Final = 16

#: The databases that have a version, which the cache needs.
VERSIONED: t.Final = ("sqlite", "postgresql")

#: Keys of tutorials, which every attacker tries.
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


def check(target: Target) -> Iterator[Finding]:
    """Check the secret key, the modes and the addresses."""
    yield from _secret_key(target.app.secret_key)
    yield from _modes(target)
    config, hooks = target.parts.config, target.parts.hooks
    if config.password_login and hooks.authenticate is None:
        yield findings.AUTHENTICATE_MISSING.found(
            "There is no @registry.authenticate function."
        )
    yield from _address(target)


def check_policy(target: Target) -> Iterator[Finding]:
    """Evaluate the policy for an anonymous client, as requests do."""
    repository = RepositoryInfo(target.repository)
    try:
        allowed = [a for a in ACTIONS if anonymous_may(target, a)]
    except Exception as error:
        name = type(error).__name__
        yield findings.POLICY_FAILS.found(
            f"For an anonymous client, it raises {name}: {error}."
        )
        return
    if "push" in allowed or "delete" in allowed:
        yield findings.ANONYMOUS_PUSH.found(f"They may {' and '.join(allowed)}.")
    elif "pull" in allowed:
        yield findings.ANONYMOUS_PULL.found(f"They may pull {repository.name}.")


def check_cache(target: Target) -> Iterator[Finding]:
    """Check that the host has decided whether results of its functions are kept."""
    if "OCI_CACHE_POLICY" in target.app.config or not target.parts.config.read_cache:
        return
    if target.parts.catalog.database_settings.settings()["dialect"] not in VERSIONED:
        return
    hooks = target.parts.hooks
    functions = {
        "user_loader": target.parts.accounts.loader(),
        "authorize": hooks.authorize,
        "visibility_of": hooks.visibility_of,
    }
    names = [name for name, function in functions.items() if function is not None]
    if names:
        yield findings.CACHE_UNDECIDED.found(f"It concerns {', '.join(names)}.")


def anonymous_may(target: Target, action: Action) -> bool:
    """Return True if an anonymous client may act on a new repository."""
    with target.app.test_request_context("/v2/"):
        try:
            target.parts.policy.list_filter(None)
            repository = RepositoryInfo(target.repository)
            return target.parts.policy.is_allowed(None, action, repository)
        except HTTPException:
            # The host denies the action with a reason of its own.
            return False


def proxy_fix(app: t.Any) -> ProxyFix | None:
    """Return the middleware that reads the headers of a proxy, or None."""
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
        yield findings.KEY_KNOWN.found("It is a key from a tutorial.")
    elif len(text) < KEY_LENGTH or len(set(text)) < KEY_LENGTH // 4:
        yield findings.KEY_KNOWN.found(
            f"It has {len(text)} characters, {len(set(text))} of them distinct."
        )


def _modes(target: Target) -> Iterator[Finding]:
    if target.app.debug:
        yield findings.DEBUG.found("findings.DEBUG is on.")
    if target.app.testing:
        yield findings.TESTING.found("findings.TESTING is on.")


def _address(target: Target) -> Iterator[Finding]:
    if target.url is None:
        return
    configured = target.parts.config.external_url
    if configured and origin(configured) != origin(target.url):
        yield findings.URL_DIFFERS.found(
            f"It is {configured}, and --url is {target.url}."
        )
    fix = proxy_fix(target.app)
    if urlsplit(target.url).scheme == "https" and (fix is None or not fix.x_for):
        yield findings.ADDRESS_HIDDEN.found("There is no ProxyFix with x_for.")


def origin(url: str) -> tuple[str, str, int]:
    """Return the scheme, host and port of a URL."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").lower(), port
