"""Authentication of robots: by secrets, by sessions, and by the identity tokens of
jobs."""

from __future__ import annotations

import typing as t

from ..errors import Unavailable
from .job_logins import OIDC_USER
from .oidc.refusal import IdentityRefused
from .oidc.refusal import IssuerUnavailable
from .oidc.token_text import is_identity_token
from .robot_logins import RobotRefused

if t.TYPE_CHECKING:
    from ..catalog.credentials import Credential
    from .access_tokens import AccessTokens
    from .challenges import Challenges
    from .job_logins import JobLogins
    from .principal import Principal
    from .robot_logins import RobotLogins
    from .signed_tokens import Claims


class RobotAuthenticator:
    """Authenticates robots.

    :param robots: finds the robots of credentials.
    :param jobs: logs in jobs, or None if the operator trusts no issuer.
    :param access_tokens: finds sessions by their secrets.
    :param challenges: creates the answers to refused credentials.
    """

    def __init__(
        self,
        robots: RobotLogins,
        jobs: JobLogins | None,
        access_tokens: AccessTokens,
        challenges: Challenges,
    ) -> None:
        self._robots = robots
        self.jobs = jobs
        """The logins of jobs, or None if the operator trusts no issuer."""

        self._access_tokens = access_tokens
        self._challenges = challenges

    def accepts_identity(self, username: str, secret: str) -> bool:
        """Return True if a password is to be read as an identity token.

        The name of a robot has a plus sign.
        """
        return is_identity_token(secret) and (
            username == OIDC_USER or (self.jobs is not None and "+" in username)
        )

    def by_credential(
        self, credential: Credential, login: str, claims: Claims | None = None
    ) -> Principal | None:
        """Return the principal for a valid credential of a robot, or None.

        :param login: the login name that was sent, or that the bearer token has.
        :param claims: the claims of the bearer token, if one was sent.
        :raises Unauthorized: if the robot may do nothing now.
        """
        try:
            found = self._robots.principal(credential, login, claims)
        except RobotRefused as refusal:
            error = None if claims is None else "invalid_token"
            raise self._challenges.new(error=error, message=refusal.reason) from None
        if found is not None and found.robot is not None and claims is None:
            self._robots.record_use(found.robot, credential)
        return found

    def by_session(self, secret: str) -> Principal:
        """Return the principal for the secret of a session.

        :raises Unauthorized: if it is invalid, or if the robot may do nothing now.
        """
        try:
            found = self._robots.session(self._access_tokens.by_secret(secret))
        except RobotRefused as refusal:
            raise self._challenges.new(
                error="invalid_token", message=refusal.reason
            ) from None
        if found is None:
            raise self._challenges.invalid_token()
        return found

    def by_identity(self, username: str, token: str, address: str) -> Principal:
        """Return the principal for an identity token that was sent as a password.

        :param username: the login name of a robot, or :data:`OIDC_USER`.
        :param address: the IP address of the client.
        :raises Unauthorized: if it is refused.
        :raises Unavailable: if the keys of its issuer cannot be read now.
        """
        try:
            return self._enabled().log_in(token, username, address)
        except IssuerUnavailable as refusal:
            raise Unavailable(refusal.reason) from None
        except (IdentityRefused, RobotRefused) as refusal:
            raise self._challenges.new(message=refusal.reason) from None

    def exchange(self, username: str, token: str) -> Principal:
        """Return the principal, with a new secret, for an identity token, which cannot
        be used again.

        :param username: the login name of a robot, or :data:`OIDC_USER`.
        :raises IdentityRefused: if the token is refused.
        :raises RobotRefused: if the robot may do nothing now.
        """
        return self._enabled().exchange(token, username)

    def _enabled(self) -> JobLogins:
        if self.jobs is None:
            raise IdentityRefused(
                "This registry accepts no identity tokens. Ask its operator to set"
                " OCI_OIDC_ISSUERS.",
                "not-enabled",
            )
        return self.jobs
