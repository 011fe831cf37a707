"""The root: who the caller is taken for."""

from __future__ import annotations

import typing as t

from ..services import principal
from ..services import services
from ..spec.scope import ACTIONS
from ..spec.scope import repository_actions
from ..spec.scope import TOKEN_ACTIONS
from .bodies import Welcome


def welcome() -> Welcome:
    """Show who the caller is taken for, and how far the credentials reach."""
    asking, limit = principal(), principal().limit
    reached = list(asking.claims.access) if asking.claims else []
    actions = limit.actions if limit else TOKEN_ACTIONS
    patterns = limit.repositories if limit else ("*",)
    if asking.claims:
        granted = {a for scope in reached for a in repository_actions(scope)}
        actions = tuple(a for a in ACTIONS if a in granted)
        patterns = tuple(s.name for s in reached if repository_actions(s))
    return Welcome(
        user=services().catalog.users.name_of(asking.user),
        actions=t.cast(t.Any, list(actions)),
        repositories=list(patterns),
    )
