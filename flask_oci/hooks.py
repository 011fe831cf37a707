"""Hooks: the functions that a host gives to its registry.

A hook is an ordinary function. A coroutine function would return a coroutine, which is
true whatever it would have decided, so its registration is refused, and an awaitable
that a hook returns is an error. A hook that answers a question allows something only by
returning True itself.
"""

from __future__ import annotations

import logging
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from functools import wraps

from .awaitables import check_synchronous
from .awaitables import name_of
from .awaitables import refuse_awaitable

if t.TYPE_CHECKING:
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

P = t.ParamSpec("P")
R = t.TypeVar("R")

logger = logging.getLogger("flask_oci.hooks")


@dataclass
class Hooks:
    """The functions that a host has given; each is called at the time of use."""

    administrator: Administrator | None = None
    authenticate: Authenticate | None = None
    authorize: Authorize | None = None
    before_login: BeforeLogin | None = None
    listing: Listing | None = None
    visibility_of: VisibilityOf | None = None
    visitor: Visitor | None = None
    released: Released | None = None
    validators: dict[str, Validator] = field(default_factory=dict)


def synchronous(function: Callable[P, R]) -> Callable[P, R]:
    """Return a hook that never returns an awaitable.

    :param function: as the host decorated it.
    :raises TypeError: if it is a coroutine function, or an asynchronous generator
        function; and when it is called, if it returns an awaitable all the same, which
        a decorator of the host's can hide.
    """
    check_synchronous(function)

    @wraps(function)
    def hook(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        refuse_awaitable(result, name_of(function))
        return result

    return hook


def predicate(function: Callable[P, bool]) -> Callable[P, bool]:
    """Return a hook that allows something by True alone: anything else is False.

    A value that is neither a bool nor None is False with a warning in the log, because
    a host that returns a row, say, means yes.

    :param function: as the host decorated it.
    :raises TypeError: as :func:`synchronous` does.
    """
    call = synchronous(function)

    @wraps(function)
    def hook(*args: P.args, **kwargs: P.kwargs) -> bool:
        result: object = call(*args, **kwargs)
        if result is not None and not isinstance(result, bool):
            logger.warning(
                "%s returned %s, which is not True, so it counts as no. Return a bool.",
                name_of(function),
                type(result).__name__,
            )
        return result is True

    return hook


def validator_name(function: Callable[..., t.Any]) -> str:
    """Return the name by which an access token finds its validator again, in other
    processes as well."""
    return f"{function.__module__}.{function.__qualname__}"
