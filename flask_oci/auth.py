"""Who is asking: credentials and bearer tokens become a principal.

Only the ``Authorization`` header counts. A session cookie means nothing here,
so that no page of the web can push or delete in its reader's name. This is the
only module that knows Flask-Login.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from urllib.parse import quote

from flask import current_app
from flask import url_for
from werkzeug.datastructures import Authorization

from .catalog.users import is_active
from .errors import Unauthorized
from .scopes import Action
from .scopes import CATALOG_SCOPE
from .scopes import repository_actions
from .scopes import Scope
from .tokens import Claims
from .tokens import TokenInvalid

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from .catalog import Users
    from .config import Config
    from .hooks import Hooks
    from .tokens import Tokens


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and how far their credentials reach."""

    user: t.Any = None
    """One of the host's users, or None for somebody who did not say."""

    claims: Claims | None = None
    """What their bearer token says, if they sent one."""

    def reaches(self, action: Action, name: str) -> bool:
        """Tell whether the token's access list has this action.

        A token is an upper bound: what it does not list, it cannot be used
        for, whatever its user may do. "push" covers "pull", since nobody can
        push without looking at what is there.
        """
        if self.claims is None:
            return True
        granted = {
            a
            for scope in self.claims.access
            if scope.name == name
            for a in repository_actions(scope)
        }
        return action in granted or (action == "pull" and "push" in granted)

    @property
    def reaches_catalog(self) -> bool:
        """Tell whether the token's access list has the list of repositories."""
        return self.claims is None or CATALOG_SCOPE in self.claims.access


#: Somebody who sent no credentials.
ANONYMOUS: t.Final = Principal()


class Authenticator:
    """Finds out who is asking.

    :param config: the settings.
    :param hooks: where the host's password check is.
    :param tokens: reads bearer tokens.
    :param users: finds a user again where there is no Flask-Login.
    """

    def __init__(
        self,
        config: Config,
        hooks: Hooks,
        tokens: Tokens,
        users: Users,
    ) -> None:
        self._config = config
        self._hooks = hooks
        self._tokens = tokens
        self._users = users

    def identify(self, authorization: Authorization | None, sent: bool) -> Principal:
        """Return who sent this ``Authorization`` header.

        :param authorization: the header, read.
        :param sent: whether there was one; what cannot be read is refused.
        :raises Unauthorized: when it is bad. It never turns into an anonymous
            request: a mistyped password would look like a missing image.
        """
        if authorization is None:
            if sent:
                raise self.challenge(message="The Authorization header is malformed.")
            return ANONYMOUS
        if authorization.type == "basic":
            return self._by_password(
                authorization.username or "", authorization.password or ""
            )
        if authorization.type == "bearer":
            return self._by_token(authorization.token or "")
        raise self.challenge(message="Authenticate with Basic or Bearer.")

    def subject_of(self, user: t.Any) -> str:
        """Return the text by which :meth:`identify` finds a user again."""
        if hasattr(user, "get_id"):
            return str(user.get_id())
        return str(self._users.key_of(user))

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
        """Make Flask-Login's ``current_user`` the one who asks, for this request.

        Nobody is remembered: no session is written. Called for the anonymous as
        well, since otherwise a cookie would say who they are.
        """
        manager = getattr(current_app, "login_manager", None)
        if manager is not None:
            manager._update_request_context_with_user(principal.user)

    def _by_password(self, username: str, password: str) -> Principal:
        if not username and not password:
            # What podman and others send when they have nothing to send.
            return ANONYMOUS
        if self._hooks.authenticate is None:
            raise RuntimeError(
                "flask_oci does not know how to check a password. Decorate a"
                " function of (username, secret), which returns the user or None,"
                " with @registry.authenticate."
            )
        user = self._hooks.authenticate(username, password)
        if user is None or not is_active(user):
            raise self.challenge(message="The user name or the password is wrong.")
        return Principal(user)

    def _by_token(self, token: str) -> Principal:
        try:
            claims = self._tokens.read(token)
        except TokenInvalid:
            raise self._stale() from None
        if not claims.subject:
            return Principal(None, claims)
        user = self._load(claims.subject)
        if user is None or not is_active(user):
            raise self._stale()
        return Principal(user, claims)

    def _stale(self) -> Unauthorized:
        return self.challenge(
            error="invalid_token",
            message="The token is not, or no longer, valid; get another.",
        )

    def _load(self, subject: str) -> t.Any:
        manager = getattr(current_app, "login_manager", None)
        if manager is not None and manager._user_callback is not None:
            return manager._user_callback(subject)
        return self._users.find(subject)

    def _realm(self) -> str:
        if self._config.external_url:
            return self._config.external_url + url_for(".token")
        return quote(url_for(".token", _external=True), safe="/:?&=@[]%")
