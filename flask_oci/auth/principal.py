"""The principal of a request: its user or robot, and its credentials."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from ..spec.scope import Action
from ..spec.scope import CATALOG_SCOPE
from ..spec.scope import repository_actions
from .limits import Limit
from .limits import limit_of

if t.TYPE_CHECKING:
    from ..catalog import Robot
    from ..catalog.credentials import Credential
    from .signed_tokens import Claims


class MirrorAccess(t.NamedTuple):
    """A request to the mirror of an upstream."""

    namespace: str
    """The namespace of the upstream. Nothing else can be pulled."""

    is_trusted: bool
    """Whether the client is in a network that may pull everything from the mirror."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The user of a request, and the limits of the credentials that were sent."""

    user: t.Any = None
    """One of the host's users, or None for an anonymous client."""

    claims: Claims | None = None
    """The claims of the bearer token, if one was sent."""

    credential: Credential | None = None
    """The access or refresh token of the login, if one was used."""

    subject: str = ""
    """The identifier of the user when the credentials were checked; empty for an
    anonymous client. A new password changes the identifiers of some hosts."""

    since: int = 0
    """When the password was checked or the bearer token was issued, in microseconds
    since 1970."""

    mirror: MirrorAccess | None = None
    """The mirror that the request is for, or None. Such a request has no user."""

    robot: Robot | None = None
    """The robot that sent the request, or None. Such a request has no user."""

    new_secret: str | None = field(default=None, repr=False)
    """The secret of the session that an identity token has just begun, or None."""

    @property
    def caller(self) -> t.Any:
        """The user or the robot of the request, or None for an anonymous client.

        Functions of the host that expect a user must not be called with it.
        """
        return self.user if self.robot is None else self.robot

    @property
    def is_anonymous(self) -> bool:
        """Whether the request has neither a user nor a robot."""
        return self.user is None and self.robot is None

    @property
    def limit(self) -> Limit | None:
        """The limit of the robot or the credential, or None if there is none."""
        limited = self.robot or self.credential
        return None if limited is None else limit_of(limited)

    def credential_allows(self, action: Action, name: str) -> bool:
        """Return True if the credential's limit includes an action on a repository."""
        return self.limit is None or self.limit.allows(action, name)

    def token_covers(self, action: Action, name: str) -> bool:
        """Return True if the access list of the bearer token includes an action on a
        repository.

        A bearer token is an upper bound: it cannot be used for an action that it does
        not list, whatever its user may do. "push" includes "pull", because a client
        reads what is there before it pushes.
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
    def covers_catalog(self) -> bool:
        """Return True if the access list includes the list of repositories."""
        return self.claims is None or CATALOG_SCOPE in self.claims.access


#: The principal of a request without credentials.
ANONYMOUS: t.Final = Principal()
