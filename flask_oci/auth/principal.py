"""Who makes a request, and how far what they sent reaches."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..spec.scope import Action
from ..spec.scope import CATALOG_SCOPE
from ..spec.scope import repository_actions
from .access_tokens import Limit
from .access_tokens import limit_of

if t.TYPE_CHECKING:
    from ..catalog.credentials import Credential
    from .signed_tokens import Claims


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and how far their credentials reach."""

    user: t.Any = None
    """One of the host's users, or None for somebody who did not say."""

    claims: Claims | None = None
    """What their bearer token says, if they sent one."""

    credential: Credential | None = None
    """The access or refresh token that they logged in with, if it was one."""

    @property
    def limit(self) -> Limit | None:
        """How far the credential reaches; None is as far as its user."""
        return limit_of(self.credential) if self.credential else None

    def credential_allows(self, action: Action, name: str) -> bool:
        """Tell whether the credential reaches as far as this action."""
        return self.limit is None or self.limit.allows(action, name)

    def token_covers(self, action: Action, name: str) -> bool:
        """Tell whether the bearer token's access list has this action.

        A bearer token is an upper bound: what it does not list, it cannot be
        used for, whatever its user may do. "push" covers "pull", since nobody
        can push without looking at what is there.
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
        """Tell whether the token's access list has the list of repositories."""
        return self.claims is None or CATALOG_SCOPE in self.claims.access


#: Somebody who sent no credentials.
ANONYMOUS: t.Final = Principal()
