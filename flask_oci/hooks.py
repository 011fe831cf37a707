"""What a host tells the registry in Python."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .catalog import RepositoryInfo
    from .scopes import Action

    Authenticate = Callable[[str, str], t.Any]
    Authorize = Callable[[t.Any, Action, RepositoryInfo], bool]


@dataclass
class Hooks:
    """The functions that a host has given; each is asked at the time of use."""

    authenticate: Authenticate | None = None
    authorize: Authorize | None = None
