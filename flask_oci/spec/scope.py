"""Scopes: what a client asks a token for, in Docker's grammar.

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

#: What may be done to a repository with a client. To "manage" it, which is to change
#: who may see it, takes a person and a page, or REST.
ACTIONS: t.Final[tuple[Action, ...]] = ("pull", "push", "delete")

#: What an access token can be for. That it is for managing, somebody has to say.
TOKEN_ACTIONS: t.Final[tuple[Action, ...]] = (*ACTIONS, "manage")

#: More scopes than a client could need, and fewer than would make a token too
#: long for the header it travels in.
MAX_SCOPES: t.Final = 50


@dataclass(frozen=True, slots=True)
class Scope:
    """Some actions on one resource."""

    type: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


#: Listing repositories.
CATALOG_SCOPE: t.Final = Scope("registry", "catalog", ("*",))


def repository_scope(name: str, *actions: Action) -> Scope:
    """Return the scope of some actions on a repository."""
    return Scope("repository", name, actions)


def parse_scopes(values: Iterable[str]) -> list[Scope]:
    """Read the ``scope`` parameters of a token request.

    Clients repeat the parameter, or put several scopes into one, or both; what
    concerns the same resource is merged. What is not a scope is left out, since
    a token without it is the honest answer.

    :param values: each ``scope`` parameter, in order.
    """
    merged: dict[tuple[str, str], dict[str, None]] = {}
    for text in [scope for value in values for scope in value.split()][:MAX_SCOPES]:
        # A name may have a colon, when a client puts the host in front of it.
        kind, _, rest = text.partition(":")
        name, _, actions = rest.rpartition(":")
        if name:
            known = merged.setdefault((kind, name), {})
            known.update(dict.fromkeys(filter(None, actions.split(","))))
    return [
        Scope(kind, name, tuple(actions)) for (kind, name), actions in merged.items()
    ]


def repository_actions(scope: Scope) -> tuple[Action, ...]:
    """Return the actions that a repository scope asks for; ``*`` is all of them."""
    if scope.type.partition("(")[0] != "repository":
        return ()
    return tuple(a for a in ACTIONS if a in scope.actions or "*" in scope.actions)
