"""The entrance of jobs: identity tokens, and the sessions that they begin."""

from __future__ import annotations

import typing as t

from ..errors import Unavailable
from .job_logins import OIDC_USER
from .oidc.refusal import IdentityRefused
from .oidc.refusal import IssuerUnavailable
from .oidc.token_text import is_identity_token
from .robot_logins import RobotRefused

if t.TYPE_CHECKING:
    from .access_tokens import AccessTokens
    from .job_logins import JobLogins
    from .principal import Principal
    from .robot_logins import RobotLogins


class JobGate:
    """Recognises the credentials of jobs.

    :param logins: logs in jobs, or None if the operator trusts no issuer.
    :param robots: finds the robots of sessions.
    :param access_tokens: finds sessions by their secrets.
    """

    def __init__(
        self,
        logins: JobLogins | None,
        robots: RobotLogins,
        access_tokens: AccessTokens,
    ) -> None:
        self._logins = logins
        self._robots = robots
        self._access_tokens = access_tokens

    @property
    def logins(self) -> JobLogins | None:
        """The logins of jobs, or None if the operator trusts no issuer."""
        return self._logins

    def accepts(self, username: str, secret: str) -> bool:
        """Return True if a password is to be read as an identity token.

        The name of a robot has a plus sign.
        """
        return is_identity_token(secret) and (
            username == OIDC_USER or (self._logins is not None and "+" in username)
        )

    def log_in(self, username: str, token: str, address: str) -> Principal:
        """Return the principal for an identity token that was sent as a password.

        :param username: the login name of a robot, or :data:`OIDC_USER`.
        :param address: the IP address of the client.
        :raises RobotRefused: if it is refused.
        :raises Unavailable: if the keys of its issuer cannot be read now.
        """
        try:
            return self._enabled().log_in(token, username, address)
        except IssuerUnavailable as refusal:
            raise Unavailable(refusal.reason) from None
        except IdentityRefused as refusal:
            raise RobotRefused(refusal.reason) from None

    def exchange(self, username: str, token: str) -> Principal:
        """Return the principal, with a new secret, for an identity token, which cannot
        be used again.

        :param username: the login name of a robot, or :data:`OIDC_USER`.
        :raises IdentityRefused: if the token is refused.
        :raises RobotRefused: if the robot may do nothing now.
        """
        return self._enabled().exchange(token, username)

    def by_session(self, secret: str) -> Principal | None:
        """Return the principal for the secret of a session, or None.

        :raises RobotRefused: if the robot may do nothing now.
        """
        return self._robots.session(self._access_tokens.by_secret(secret))

    def _enabled(self) -> JobLogins:
        if self._logins is None:
            raise IdentityRefused(
                "This registry accepts no identity tokens. Ask its operator to set"
                " OCI_OIDC_ISSUERS.",
                "not-enabled",
            )
        return self._logins
