"""Authentication: passwords, access tokens and bearer tokens.

Only the ``Authorization`` header authenticates a request. Session cookies are ignored,
so that no web page can push or delete in the name of its reader.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta

from flask import request
from werkzeug.datastructures import Authorization
from werkzeug.exceptions import HTTPException

from ..clock import microseconds
from ..clock import utcnow
from ..errors import Unauthorized
from ..events import audit
from ..hooks import LoginRefused
from ..spec.scope import Scope
from . import flask_login
from .access_tokens import ABOUT_LENGTH
from .principal import ANONYMOUS
from .principal import Principal
from .rate_limit import check_no_answer
from .rate_limit import REFUSALS
from .signed_tokens import Claims
from .signed_tokens import TokenInvalid
from .token_secrets import is_token
from .token_secrets import ROBOT_PREFIX

if t.TYPE_CHECKING:
    from ..catalog import Users
    from ..catalog.credentials import Credential
    from ..config import Config
    from ..hooks import Hooks
    from .access_tokens import AccessTokens
    from .accounts import Accounts
    from .challenges import Challenges
    from .rate_limit import RateLimiter
    from .robot_authenticator import RobotAuthenticator
    from .signed_tokens import Tokens


class Authenticator:
    """Authenticates requests.

    :param config: the settings.
    :param hooks: the host's functions, among them its password check.
    :param tokens: reads bearer tokens.
    :param access_tokens: finds access and refresh tokens.
    :param rate_limiter: limits failed logins, unless the host does.
    :param users: the host's users.
    :param accounts: loads users, and knows which of them are active.
    :param robots: authenticates robots.
    :param challenges: creates the answers to refused credentials.
    """

    def __init__(
        self,
        config: Config,
        hooks: Hooks,
        tokens: Tokens,
        access_tokens: AccessTokens,
        rate_limiter: RateLimiter,
        users: Users,
        accounts: Accounts,
        robots: RobotAuthenticator,
        challenges: Challenges,
    ) -> None:
        self._config = config
        self._hooks = hooks
        self._tokens = tokens
        self._access_tokens = access_tokens
        self._rate_limiter = rate_limiter
        self._users = users
        self._accounts = accounts
        self.robots = robots
        """Authenticates robots."""

        self._challenges = challenges

    def identify(self) -> Principal:
        """Return the principal of the current request's ``Authorization`` header.

        :raises Unauthorized: if the credentials are invalid. Such a request is never
            treated as anonymous, because a mistyped password would look like a missing
            image.
        :raises TooManyRequests: if there were too many failed logins.
        """
        sent = request.headers.get("Authorization")
        if sent is None:
            return ANONYMOUS
        authorization = _read(sent)
        if authorization is None:
            raise self._challenges.new(message="The Authorization header is malformed.")
        if authorization.type == "basic":
            return self.log_in(
                authorization.username or "", authorization.password or ""
            )
        if authorization.type == "bearer":
            return self._by_bearer(authorization.token or "")
        raise self._challenges.new(message="Unsupported scheme; use Basic or Bearer.")

    def log_in(self, username: str, secret: str) -> Principal:
        """Return the principal for a user name and a password or access token.

        :raises Unauthorized: if they are invalid.
        :raises TooManyRequests: if there were too many failed logins.
        """
        if not username and not secret:
            # Podman and other clients send empty credentials if they have none.
            return ANONYMOUS
        address = request.remote_addr or ""
        # Neither an access token nor an identity token can be guessed. They are not
        # limited, so that machines can log in while a client at the same address
        # guesses passwords.
        is_identity = self.robots.accepts_identity(username, secret)
        is_guess = not is_token(secret) and not is_identity
        is_password = self._hooks.before_login is None and is_guess
        if self._hooks.before_login is not None:
            check_no_answer(self._hooks.before_login(username, address))

        def check() -> Principal | None:
            return self._check(username, secret)

        try:
            if is_password:
                principal = self._rate_limiter.limited(username, address, check)
            else:
                principal = check()
            if principal is None:
                raise self._challenges.new(message="Wrong user name or password.")
        except HTTPException as error:
            if not isinstance(error, Unauthorized) and error.code not in REFUSALS:
                raise
            # Some forges accept a token instead of the user name.
            shown = "(a token)" if is_token(username) else username[:255]
            audit.record("login-failed", None, username=shown)
            raise
        return principal

    def refresh(self, secret: str) -> Principal:
        """Return the principal for a refresh token.

        :raises Unauthorized: if the token is invalid or has expired.
        """
        if secret.startswith(ROBOT_PREFIX):
            return self.robots.by_session(secret)
        credential = self._access_tokens.by_secret(secret)
        if (
            credential is None
            or credential.kind != "refresh"
            or credential.robot_id is not None
            or not self._is_login_accepted(credential)
        ):
            raise self._challenges.invalid_token()
        user = self._accounts.load(credential.subject)
        if not self._may_use(user, credential.about, ABOUT_LENGTH):
            raise self._challenges.invalid_token()
        self._access_tokens.record_use(credential, self.refresh_lifetime)
        return Principal(user, credential=credential, subject=credential.subject)

    def check_again(self, principal: Principal) -> None:
        """Check that the credentials of a request were not revoked while its body
        arrived, and that their identifier still leads to the user, who is active.

        :raises Unauthorized: if they are invalid now.
        """
        credential = principal.credential
        if principal.robot is not None and credential is not None:
            now = self._access_tokens.by_id(credential.id)
            if now is None or not self.robots.by_credential(now, principal.robot.login):
                raise self._challenges.invalid_token()
            return
        if principal.user is None:
            return
        user = self._accounts.load(principal.subject)
        is_same = self._users.key_of(user) == self._users.key_of(principal.user)
        if not is_same or not self._accounts.is_active(user):
            raise self._challenges.invalid_token()
        if credential is not None:
            is_valid = self._access_tokens.by_id(credential.id) is not None
        else:
            is_valid = not self._access_tokens.is_revoked(
                principal.subject, principal.since
            )
        if not is_valid:
            raise self._challenges.invalid_token()

    @property
    def refresh_lifetime(self) -> timedelta:
        """The time for which a refresh token is valid after its last use."""
        return self._config.refresh_token_lifetime

    def claims_of(self, principal: Principal, access: tuple[Scope, ...]) -> Claims:
        """Return the claims of a bearer token for a principal."""
        if principal.is_anonymous:
            return Claims("", "", access, None)
        return Claims(
            principal.subject,
            self._users.name_of(principal.caller) or "",
            access,
            principal.credential.id if principal.credential else None,
            principal.since,
        )

    def sign_in(self, principal: Principal) -> None:
        """Set Flask-Login's ``current_user`` for this request."""
        flask_login.sign_in(principal.user)

    def visitor(self) -> t.Any:
        """Return the user who views a page, or None for an anonymous visitor.

        The host's ``current_user_loader`` decides, or Flask-Login if there is none.
        """
        load = self._hooks.current_user_loader
        if load is None:
            return flask_login.current_user()
        # A host may return False for an anonymous visitor, and Flask-Login's
        # current_user is an object for anonymous visitors as well.
        user = load() or None
        return user if getattr(user, "is_authenticated", True) else None

    def _check(self, username: str, secret: str) -> Principal | None:
        if "\0" in username or "\0" in secret:
            # No host has such a user, and some databases reject the query.
            return None
        if not username or not secret:
            # An LDAP directory may treat a login without a password as an anonymous
            # bind, and report success (RFC 4513, section 5.1.2).
            return None
        if is_token(secret):
            return self._by_access_token(username, secret)
        if self.robots.accepts_identity(username, secret):
            return self.robots.by_identity(username, secret, request.remote_addr or "")
        if not self._config.password_login:
            raise self._challenges.new(
                message="Passwords are not accepted. Create an access token on the"
                " website and use it instead of the password."
            )
        if self._hooks.authenticate is None:
            raise RuntimeError(
                "flask_oci has no function to check passwords. Register one with"
                " @registry.authenticate: it takes (username, secret) and returns"
                " the user or None."
            )
        since = microseconds(utcnow())
        try:
            user = self._hooks.authenticate(username, secret)
        except LoginRefused as refusal:
            raise self._challenges.new(message=refusal.reason) from None
        if user is True:
            raise TypeError(
                "The function of @registry.authenticate returned True. It must return"
                " the user or None."
            )
        if not user or not self._accounts.is_active(user):
            return None
        return Principal(user, subject=self._accounts.subject_of(user), since=since)

    def _by_access_token(self, username: str, secret: str) -> Principal | None:
        credential = self._access_tokens.by_secret(secret)
        if credential is None:
            return None
        if credential.robot_id is not None:
            return self.robots.by_credential(credential, username)
        if credential.kind != "access":
            return None
        user = self._accounts.load(credential.subject)
        if not self._may_use(user, username):
            return None
        self._access_tokens.record_use(credential, self.refresh_lifetime)
        return Principal(user, credential=credential, subject=credential.subject)

    def _by_bearer(self, token: str) -> Principal:
        if token.startswith(ROBOT_PREFIX):
            return self.robots.by_session(token)
        try:
            claims = self._tokens.read(token)
        except TokenInvalid:
            raise self._challenges.invalid_token() from None
        if not claims.subject and self._config.require_login:
            # The token was issued to an anonymous client, before a login was required.
            raise self._challenges.invalid_token()
        if not claims.subject:
            return Principal(None, claims)
        credential = None
        if claims.credential is not None:
            credential = self._access_tokens.by_id(claims.credential)
            if credential is None:
                raise self._challenges.invalid_token()
        elif self._access_tokens.is_revoked(claims.subject, claims.issued_at):
            raise self._challenges.invalid_token()
        if credential is not None and credential.robot_id is not None:
            found = self.robots.by_credential(credential, claims.username, claims)
            if found is None:
                raise self._challenges.invalid_token()
            return found
        if not self._is_login_accepted(credential):
            raise self._challenges.invalid_token()
        user = self._accounts.load(claims.subject)
        if not self._may_use(user, claims.username):
            raise self._challenges.invalid_token()
        return Principal(user, claims, credential, claims.subject, claims.issued_at)

    def _is_login_accepted(self, credential: Credential | None) -> bool:
        """Return True if the method of the first login is still accepted.

        If passwords are no longer accepted, tokens that were issued for a password end
        too.
        """
        used_password = credential is None or (
            credential.kind == "refresh" and credential.parent_id is None
        )
        return self._config.password_login or not used_password

    def _may_use(
        self, user: t.Any, username: str | None, length: int | None = None
    ) -> bool:
        """Return True if the user of a credential may still use it.

        The user name is compared, because a database may give the key of a deleted user
        to a new user.

        :param username: the name of the user when the credential was issued.
        :param length: the number of characters of the name that were stored; None means
            all.
        """
        return (
            user is not None
            and self._accounts.is_active(user)
            and self._users.namespace_of(user)[:length] == username
        )


def _read(header: str) -> Authorization | None:
    """Return a parsed ``Authorization`` header, or None if it is malformed."""
    # A server joins repeated headers with a comma, and another program may have checked
    # only one of them. No valid header here contains a comma.
    if not header.isascii() or "," in header:
        return None
    return Authorization.from_header(header)
