"""Scopes: the permissions that a client requests for a token, in Docker's grammar.

``scope := resourcescope *( " " resourcescope )`` and ``resourcescope :=
resourcetype ":" resourcename ":" action *( "," action )`` (Distribution's
docs/content/spec/auth/scope.md).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterable

Action = t.Literal["pull", "push", "delete", "manage"]

#: The actions of a client in a repository. "manage", which includes changing the
#: visibility, is possible on the pages, with the command line and with REST only.
ACTIONS: t.Final[tuple[Action, ...]] = ("pull", "push", "delete")

#: The actions that an access token can allow. "manage" has to be named explicitly.
TOKEN_ACTIONS: t.Final[tuple[Action, ...]] = (*ACTIONS, "manage")

#: The maximum number of scopes in a request. No client needs more, and the token still
#: fits into a header.
MAX_SCOPES: t.Final = 50


@dataclass(frozen=True, slots=True)
class Scope:
    """Actions on one resource."""

    type: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


#: The scope for the list of repositories.
CATALOG_SCOPE: t.Final = Scope("registry", "catalog", ("*",))


def repository_scope(name: str, *actions: Action) -> Scope:
    """Return the scope of actions on a repository."""
    return Scope("repository", name, actions)


def parse_scopes(values: Iterable[str]) -> list[Scope]:
    """Return the scopes of a token request, one for each resource.

    Clients repeat the parameter, or put several scopes into one, or both. Scopes of the
    same resource are merged. Invalid scopes are ignored: the token then does not allow
    them.

    :param values: each ``scope`` parameter, in order.
    """
    merged: dict[tuple[str, str], dict[str, None]] = {}
    for text in [scope for value in values for scope in value.split()][:MAX_SCOPES]:
        # A name has a colon if the client includes the host and the port.
        kind, _, rest = text.partition(":")
        name, _, actions = rest.rpartition(":")
        if name:
            known = merged.setdefault((kind, name), {})
            known.update(dict.fromkeys(filter(None, actions.split(","))))
    return [
        Scope(kind, name, tuple(actions)) for (kind, name), actions in merged.items()
    ]


def repository_actions(scope: Scope) -> tuple[Action, ...]:
    """Return the actions of a repository scope. ``*`` stands for all of them."""
    if scope.type.partition("(")[0] != "repository":
        return ()
    return tuple(a for a in ACTIONS if a in scope.actions or "*" in scope.actions)
