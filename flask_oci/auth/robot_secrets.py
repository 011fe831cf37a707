"""Secrets of robots: at most two of them are valid at once.

A secret is stored as a hash, like an access token. A session is another kind of secret:
a short-lived one that a robot gets for another proof of its identity.
"""

from __future__ import annotations

import secrets
import typing as t
from datetime import timedelta

from ..catalog.credentials import Credential
from ..clock import utcnow
from .access_tokens import ABOUT_LENGTH
from .access_tokens import IssuedToken
from .token_secrets import hash_of
from .token_secrets import new_secret
from .token_secrets import ROBOT_PREFIX

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog import Robot

#: The kinds of credentials by which a robot logs in.
SECRET: t.Final = "robot"  # noqa: S105 (a kind of credential)
SESSION: t.Final = "session"
KINDS: t.Final = (SECRET, SESSION)

#: The number of secrets of a robot that may be valid at once.
MAX_SECRETS: t.Final = 2

#: The longest time for which the old secret stays valid after a rotation.
MAX_OVERLAP: t.Final = timedelta(days=90)


class RobotSecrets:
    """Issues, lists and revokes the secrets of robots."""

    def __init__(self, catalog: Catalog) -> None:
        self._credentials = catalog.credentials

    def issue(
        self,
        robot: Robot,
        *,
        expires_at: datetime | None = None,
        overlap: timedelta = timedelta(),
    ) -> IssuedToken:
        """Issue a secret, and end the others.

        :param expires_at: when the new one expires, or None.
        :param overlap: how long the latest of the others stays valid.
        """
        issued, stored = self.new(robot, expires_at)
        self._credentials.add_to_robot(
            *stored,
            valid=MAX_SECRETS if overlap > timedelta() else 1,
            until=utcnow() + overlap,
        )
        return issued

    def new(
        self, robot: Robot, expires_at: datetime | None = None
    ) -> tuple[IssuedToken, tuple[Credential, str]]:
        """Return a secret that is not stored, and its credential and hash to store."""
        credential = self._credential(robot, SECRET, "", None, expires_at)
        secret = new_secret(ROBOT_PREFIX)
        issued = IssuedToken(credential.id, secret, expires_at)
        return issued, (credential, hash_of(secret))

    def new_session(
        self, robot: Robot, *, name: str, about: str, expires_at: datetime
    ) -> tuple[Credential, str]:
        """Return a short-lived secret that is not stored yet, and ends no other.

        :param name: a name that the lists of secrets show.
        :param about: the proof of the robot's identity, such as a workflow.
        :param expires_at: when it expires.
        :return: the credential and its secret.
        """
        credential = self._credential(robot, SESSION, name, about, expires_at)
        return credential, new_secret(ROBOT_PREFIX)

    def list(self, robot: Robot) -> list[Credential]:
        """Return the secrets of a robot, the newest first."""
        found = self._credentials.of_robot(robot.id)
        return [each for each in found if each.kind == SECRET]

    def revoke(self, robot: Robot, secret_id: str) -> bool:
        """Revoke a secret, and every bearer token that was issued for it.

        :return: False if the robot has no such secret.
        """
        known = {each.id for each in self._credentials.of_robot(robot.id)}
        return secret_id in known and self._credentials.revoke(secret_id)

    @staticmethod
    def _credential(
        robot: Robot,
        kind: str,
        name: str,
        about: str | None,
        expires_at: datetime | None,
    ) -> Credential:
        return Credential(
            id=secrets.token_hex(16),
            kind=kind,
            # It is no subject of a user. The key of the robot decides.
            subject=f"robot:{robot.id}",
            user_id=None,
            name=name[:255],
            actions=(),
            repositories=(),
            validator=None,
            about=None if about is None else about[:ABOUT_LENGTH],
            created_at=utcnow(),
            expires_at=expires_at,
            last_used_at=None,
            robot_id=robot.id,
        )
