"""What a host tells the registry in Python."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .catalog import Condition
    from .catalog import RepositoryInfo
    from .scopes import Action

    Administrator = Callable[[t.Any], bool]
    Authenticate = Callable[[str, str], t.Any]
    Authorize = Callable[[t.Any, Action, RepositoryInfo], bool]
    BeforeLogin = Callable[[str, str], None]
    Listing = Callable[[t.Any], Condition | None]
    Validator = Callable[[str], bool]
    VisibilityOf = Callable[[RepositoryInfo], str | None]
    Visitor = Callable[[], t.Any]
    Released = Callable[[RepositoryInfo, str, str], bool]


@dataclass
class Hooks:
    """The functions that a host has given; each is asked at the time of use."""

    administrator: Administrator | None = None
    authenticate: Authenticate | None = None
    authorize: Authorize | None = None
    before_login: BeforeLogin | None = None
    listing: Listing | None = None
    visibility_of: VisibilityOf | None = None
    visitor: Visitor | None = None
    released: Released | None = None
    validators: dict[str, Validator] = field(default_factory=dict)
