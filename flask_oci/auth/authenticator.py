"""Who is asking: credentials and bearer tokens become a principal.

Only the ``Authorization`` header counts. A session cookie means nothing here,
so that no page of the web can push or delete in its reader's name.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta
from urllib.parse import quote

from flask import request
from flask import url_for
from werkzeug.datastructures import Authorization

from ..errors import Unauthorized
from ..events import audit
from ..events.warn_once import advise
from ..hooks import name_of
from ..hooks import refuse_awaitable
from ..spec.scope import Scope
from . import flask_login
from .access_tokens import ABOUT_LENGTH
from .access_tokens import is_token
from .policy import is_active
from .principal import ANONYMOUS
from .principal import Principal
from .signed_tokens import Claims
from .signed_tokens import TokenInvalid

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..catalog import Users
    from ..catalog.credentials import Credential
    from ..config import Config
    from ..hooks import Hooks
    from .access_tokens import AccessTokens
    from .rate_limit import RateLimiter
    from .signed_tokens import Tokens


#: What the log says where docker is about to be sent to the wrong place.
UNKNOWN_PROXY: t.Final = (
    "A proxy says that clients call this application %s, and the application believes"
    " that it is called %s, which is where clients are told to log in. Behind a proxy"
    " of yours, have the application believe it: app.wsgi_app = ProxyFix(app.wsgi_app,"
    " x_for=1, x_proto=1, x_host=1, x_prefix=1). Or set OCI_EXTERNAL_URL."
)


class LoginRefused(Exception):
    """Raised by a host's ``@registry.authenticate`` function to say why somebody
    whose password may be right cannot log in with it.

    :param reason: a sentence that ``docker login`` prints.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Authenticator:
    """Finds out who is asking.

    :param config: the settings.
    :param hooks: where the host's password check is.
    :param tokens: reads bearer tokens.
    :param access_tokens: finds what somebody logged in with.
    :param throttle: limits guessing where the host does not.
    :param users: the host's users.
    :param token_endpoint: the endpoint, as Flask knows it, that clients get tokens at.
    """

    def __init__(
        self,
        config: Config,
        hooks: Hooks,
        tokens: Tokens,
        access_tokens: AccessTokens,
        throttle: RateLimiter,
        users: Users,
        token_endpoint: str,
    ) -> None:
        self._config = config
        self._hooks = hooks
        self._tokens = tokens
        self._access_tokens = access_tokens
        self._throttle = throttle
        self._users = users
        self._token_endpoint = token_endpoint

    def identify(self) -> Principal:
        """Return who sent the current request, by its ``Authorization`` header.

        :raises Unauthorized: when it is bad. It never turns into an anonymous
            request: a mistyped password would look like a missing image.
        :raises TooManyRequests: when logging in failed too often.
        """
        sent = request.headers.get("Authorization")
        if sent is None:
            return ANONYMOUS
        authorization = _read(sent)
        if authorization is None:
            raise self.challenge(message="The Authorization header is malformed.")
        if authorization.type == "basic":
            return self.log_in(
                authorization.username or "", authorization.password or ""
            )
        if authorization.type == "bearer":
            return self._by_bearer(authorization.token or "")
        raise self.challenge(message="Authenticate with Basic or Bearer.")

    def log_in(self, username: str, secret: str) -> Principal:
        """Return who this user name and password, or access token, are of.

        :raises Unauthorized: when they are nobody's.
        :raises TooManyRequests: when there were too many attempts.
        """
        if not username and not secret:
            # What podman and others send when they have nothing to send.
            return ANONYMOUS
        address = request.remote_addr or ""
        # Nobody guesses an access token, so machines are not held up by who guesses
        # passwords at the same address.
        guessed = self._hooks.before_login is None and not is_token(secret)
        if self._hooks.before_login is not None:
            self._hooks.before_login(username, address)
        failed_before = guessed and self._throttle.check(username, address)
        try:
            principal = self._check(username, secret)
            if principal is None:
                if guessed:
                    self._throttle.failed(username, address)
                raise self.challenge(message="The user name or the password is wrong.")
        except Unauthorized:
            # Some forges take a token in the place of the user's name.
            shown = "(a token)" if is_token(username) else username[:255]
            audit.record("login-failed", None, username=shown)
            raise
        if failed_before:
            self._throttle.succeeded(username, address)
        return principal

    def refresh(self, secret: str) -> Principal:
        """Return who this refresh token is of.

        :raises Unauthorized: when it is nobody's, or no longer good.
        """
        credential = self._access_tokens.by_secret(secret)
        if (
            credential is None
            or credential.kind != "refresh"
            or not self._accepts(credential)
        ):
            raise self._stale()
        user = self._load(credential.subject)
        if not self._is_still(user, credential.about, ABOUT_LENGTH):
            raise self._stale()
        self._access_tokens.used(credential, self.refresh_lifetime)
        return Principal(user, credential=credential)

    @property
    def refresh_lifetime(self) -> timedelta:
        """For how long after its last use a refresh token is good."""
        return self._config.refresh_token_lifetime

    def claims_of(self, principal: Principal, access: tuple[Scope, ...]) -> Claims:
        """Return what a bearer token for somebody has to say."""
        if principal.user is None:
            return Claims("", "", access, None)
        return Claims(
            self._users.subject_of(principal.user),
            self._users.namespace_of(principal.user),
            access,
            principal.credential.id if principal.credential else None,
        )

    def challenge(
        self,
        scopes: Iterable[Scope] = (),
        error: str | None = None,
        message: str | None = None,
    ) -> Unauthorized:
        """Make the 401 that tells a client where to get a token
        (Distribution's docs/content/spec/auth/token.md, "How to authenticate").

        :param scopes: what the token would have to cover.
        :param error: ``invalid_token`` or ``insufficient_scope``, where a token
            was sent.
        """
        parameters = {"realm": self._realm(), "service": self._config.service}
        if scope := " ".join(map(str, scopes)):
            parameters["scope"] = scope
        if error:
            parameters["error"] = error
        # Every value is quoted, and there is one challenge only: some clients
        # read no other form.
        challenge = ",".join(f'{key}="{value}"' for key, value in parameters.items())
        return Unauthorized(
            message,
            detail=scope or None,
            headers={"WWW-Authenticate": f"Bearer {challenge}"},
        )

    def sign_in(self, principal: Principal) -> None:
        """Make Flask-Login's ``current_user`` the one who asks, for this request."""
        flask_login.sign_in(principal.user)

    def visitor(self) -> t.Any:
        """Return the user who looks at a page, or None for somebody unknown.

        It is who the host says, or who Flask-Login says where the host says nothing.
        """
        ask = self._hooks.current_user_loader
        return flask_login.current_user() if ask is None else ask()

    def _check(self, username: str, secret: str) -> Principal | None:
        if "\0" in username or "\0" in secret:
            # No host has such a user, and some databases refuse the question.
            return None
        if not username or not secret:
            # A directory may take a login without a password for one that nobody
            # has to prove, and say that it succeeded (RFC 4513, section 5.1.2).
            return None
        if is_token(secret):
            return self._by_access_token(username, secret)
        if not self._config.password_login:
            raise self.challenge(
                message="Passwords are not accepted here. Make an access token on the"
                " site and use it in the place of the password."
            )
        if self._hooks.authenticate is None:
            raise RuntimeError(
                "flask_oci does not know how to check a password. Decorate a"
                " function of (username, secret), which returns the user or None,"
                " with @registry.authenticate."
            )
        try:
            user = self._hooks.authenticate(username, secret)
        except LoginRefused as refusal:
            raise self.challenge(message=refusal.reason) from None
        if user is None or not is_active(user):
            return None
        return Principal(user)

    def _by_access_token(self, username: str, secret: str) -> Principal | None:
        credential = self._access_tokens.by_secret(secret)
        if credential is None or credential.kind != "access":
            return None
        user = self._load(credential.subject)
        if not self._is_still(user, username):
            return None
        self._access_tokens.used(credential, self.refresh_lifetime)
        return Principal(user, credential=credential)

    def _by_bearer(self, token: str) -> Principal:
        try:
            claims = self._tokens.read(token)
        except TokenInvalid:
            raise self._stale() from None
        if not claims.subject and self._config.require_login:
            # It was made for nobody, before everybody had to say who they are.
            raise self._stale()
        if not claims.subject:
            return Principal(None, claims)
        credential = None
        if claims.credential is not None:
            credential = self._access_tokens.by_id(claims.credential)
            if credential is None:
                raise self._stale()
        elif self._access_tokens.ended(claims.subject, claims.issued_at):
            raise self._stale()
        if not self._accepts(credential):
            raise self._stale()
        user = self._load(claims.subject)
        if not self._is_still(user, claims.username):
            raise self._stale()
        return Principal(user, claims, credential)

    def _accepts(self, credential: Credential | None) -> bool:
        """Tell whether what somebody first logged in with would still do.

        Where passwords are no longer accepted, what was had with one ends too.
        """
        had_with_a_password = credential is None or (
            credential.kind == "refresh" and credential.parent_id is None
        )
        return self._config.password_login or not had_with_a_password

    def _is_still(
        self, user: t.Any, username: str | None, length: int | None = None
    ) -> bool:
        """Tell whether whoever a credential leads to may use it: a database may give
        the key of a deleted user to somebody else.

        :param username: what its user was called.
        :param length: how much of that was kept, in characters; None is all of it.
        """
        return (
            user is not None
            and is_active(user)
            and self._users.namespace_of(user)[:length] == username
        )

    def _stale(self) -> Unauthorized:
        return self.challenge(
            error="invalid_token",
            message="The token is not, or no longer, valid; log in again.",
        )

    def _load(self, subject: str) -> t.Any:
        load = flask_login.user_loader() or self._users.find
        user = load(subject)
        refuse_awaitable(user, name_of(load))
        return user

    def _realm(self) -> str:
        if self._config.external_url:
            return self._config.external_url + url_for(self._token_endpoint)
        # Whoever came by https must not be led to send a password in the clear.
        by_https = request.headers.get("X-Forwarded-Proto") == "https"
        hosts = request.headers.get("X-Forwarded-Host", request.host)
        if request.host not in hosts.replace(" ", "").split(","):
            advise(UNKNOWN_PROXY, hosts, request.host)
        scheme = "https" if by_https else request.scheme
        realm = url_for(self._token_endpoint, _external=True, _scheme=scheme)
        return quote(realm, safe="/:?&=@[]%")


def _read(header: str) -> Authorization | None:
    """Read an ``Authorization`` header; None is what cannot be one."""
    # A server joins several headers by a comma, and whoever sends two may have
    # been let through by the other one. What we take has no comma in it.
    if not header.isascii() or "," in header:
        return None
    return Authorization.from_header(header)
