"""The root of the REST interface: the caller and the caller's credentials."""

from __future__ import annotations

import typing as t

from ..services import principal
from ..services import services
from ..spec.scope import ACTIONS
from ..spec.scope import repository_actions
from ..spec.scope import TOKEN_ACTIONS
from .bodies import Welcome


def welcome() -> Welcome:
    """Show the caller's name, and what the caller's credentials allow."""
    caller, limit = principal(), principal().limit
    scopes = list(caller.claims.access) if caller.claims else []
    actions = limit.actions if limit else TOKEN_ACTIONS
    patterns = limit.repositories if limit else ("*",)
    if caller.claims:
        granted = {a for scope in scopes for a in repository_actions(scope)}
        actions = tuple(a for a in ACTIONS if a in granted)
        patterns = tuple(s.name for s in scopes if repository_actions(s))
    elif caller.is_anonymous:
        # Without credentials, the application decides about each request.
        actions, patterns = (), ()
    return Welcome(
        user=services().catalog.users.name_of(caller.caller),
        actions=t.cast(t.Any, list(actions)),
        repositories=list(patterns),
    )
