"""Logins of robots: the principal for a secret or a bearer token of a robot."""

from __future__ import annotations

import typing as t

from .principal import Principal
from .robot_secrets import KINDS
from .robot_secrets import SESSION

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import Robot
    from ..catalog.credentials import Credential
    from .robot_policy import RobotPolicy
    from .signed_tokens import Claims


class RobotRefused(Exception):
    """A valid secret cannot be used now.

    :param reason: the reason, for the holder of the secret.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RobotLogins:
    """Finds the robots of credentials.

    A credential names its robot by a key that is never used again. The text of a login
    name or of a subject decides nothing, because a user may have the same.

    :param catalog: the robots and their credentials.
    :param policy: decides whether a robot may do anything.
    """

    def __init__(self, catalog: Catalog, policy: RobotPolicy) -> None:
        self._robots = catalog.robots
        self._credentials = catalog.credentials
        self._policy = policy

    def principal(
        self, credential: Credential, login: str, claims: Claims | None = None
    ) -> Principal | None:
        """Return the principal for a valid credential of a robot, or None.

        :param login: the login name that was sent, or that the bearer token has.
        :param claims: the claims of the bearer token, if one was sent.
        :raises RobotRefused: if the robot may do nothing now.
        """
        robot = self.robot_of(credential)
        if robot is None or robot.login != login:
            return None
        reason = self._policy.obstacle(robot)
        if reason is not None:
            raise RobotRefused(reason)
        return Principal(
            claims=claims,
            credential=credential,
            subject=credential.subject,
            since=0 if claims is None else claims.issued_at,
            robot=robot,
        )

    def session(self, credential: Credential | None) -> Principal | None:
        """Return the principal for the valid credential of a session, whose secret was
        sent without a name; or None.

        :raises RobotRefused: if the robot may do nothing now.
        """
        if credential is None or credential.kind != SESSION:
            return None
        robot = self.robot_of(credential)
        return None if robot is None else self.principal(credential, robot.login)

    def robot_of(self, credential: Credential) -> Robot | None:
        """Return the robot of a credential, or None if it is not one of a robot."""
        if credential.robot_id is None or credential.kind not in KINDS:
            return None
        return self._robots.by_id(credential.robot_id)

    def record_use(self, robot: Robot, credential: Credential) -> None:
        """Record the current use of a robot and its secret."""
        self._credentials.touch(credential, credential.expires_at)
        self._robots.touch(robot)
