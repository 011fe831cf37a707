"""Account status: whether the application lets a user do anything."""

from __future__ import annotations

import inspect
import logging
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from functools import lru_cache

from ..host_functions import check_synchronous
from ..host_functions import predicate
from ..host_functions import refuse_awaitable
from ..host_functions import unwrapped

if t.TYPE_CHECKING:
    from ..catalog import UserColumn
    from ..catalog import Users

#: The parameter ``active`` of the registry: an attribute, or a function of a user.
Active: t.TypeAlias = "str | Callable[[t.Any], bool] | None"

#: Columns that are true for active users.
POSITIVE: t.Final = frozenset({"active", "enabled", "is_enabled"})

#: Columns that are true, or a time, for users who may not do anything.
NEGATIVE: t.Final = frozenset(
    prefix + word
    for word in (
        *("banned", "blocked", "deactivated", "deleted"),
        *("disabled", "inactive", "suspended"),
    )
    for prefix in ("", "is_")
)

#: Columns with the time since which users may not do anything.
SINCE: t.Final = frozenset(
    word + "_at"
    for word in ("banned", "blocked", "deactivated", "deleted", "disabled", "suspended")
)

logger = logging.getLogger("flask_oci.accounts")


@dataclass(frozen=True)
class Source:
    """The attributes from which the registry learns whether a user is active."""

    is_explicit: bool
    """True if the host has chosen them: by ``active``, or by an ``is_active`` that is
    not the same for all users."""

    names: tuple[str, ...]
    """The attributes; empty if the registry knows of none."""


class AccountStatus:
    """Determines whether a user is active.

    :param users: the host's users.
    :param active: the parameter of the registry; None uses ``is_active``, or the
        columns above if the model does not have it, or has Flask-Login's default.
    :raises TypeError: if ``active`` is neither an attribute of the user model nor an
        ordinary function.
    """

    def __init__(self, users: Users, active: Active) -> None:
        self._users = users
        self._attribute: str | None = None
        self._function: Callable[[t.Any], bool] | None = None
        if isinstance(active, str):
            if not hasattr(users.model, active):
                raise TypeError(
                    f"{users.model.__name__} has no attribute {active!r}, which says"
                    " whether a user is active. Pass the name of an existing attribute,"
                    " for example Registry(db, User, active='enabled'), or a function"
                    " of a user."
                )
            self._attribute = active
        elif callable(active):
            check_synchronous(active)
            self._function = predicate(active)
        elif active is not None:
            raise TypeError("active must be the name of an attribute, or a function.")

    def is_active(self, user: t.Any) -> bool:
        """Return True if the host lets this user do anything.

        :param user: one of the host's users.
        :raises TypeError: if a method or function of the host returns an awaitable.
        """
        user = unwrapped(user)
        if self._function is not None:
            return self._function(user)
        if self._attribute is not None:
            # Any other value, such as the text of a status, would be true.
            return _value(user, self._attribute) in (True, 1)
        if not bool(_value(user, "is_active", default=True)):
            return False
        model: t.Any = type(user)
        if _own_is_active(model):
            return True
        return all(
            bool(getattr(user, name, None)) == is_positive
            for name, is_positive in self._columns.items()
        )

    @property
    def source(self) -> Source:
        """The attributes that decide for users of the registered model."""
        if self._function is not None:
            return Source(True, ("active",))
        if self._attribute is not None:
            return Source(True, (self._attribute,))
        model: t.Any = self._users.model
        if _own_is_active(model):
            return Source(True, ("is_active",))
        return Source(False, tuple(self._columns))

    @property
    def unclear_columns(self) -> list[str]:
        """The columns whose name suggests a status, and whose type the registry does
        not interpret."""
        known = POSITIVE | NEGATIVE | SINCE
        return [
            column.attribute
            for column in self._users.columns()
            if column.names & known and column.attribute not in self._columns
        ]

    @cached_property
    def _columns(self) -> dict[str, bool]:
        """The columns that decide: by attribute, True if they are true for active
        users."""
        # The mappers are complete once a request or a command asks.
        meanings = {c.attribute: _meaning(c) for c in self._users.columns()}
        return {name: value for name, value in meanings.items() if value is not None}


def _meaning(column: UserColumn) -> bool | None:
    """Return True if a column is true for active users, False if it is true for all
    others, and None if the registry does not interpret it."""
    is_flag = column.type is bool
    is_time = column.is_nullable and issubclass(column.type, date)
    if is_flag and column.names & POSITIVE:
        return True
    if (is_flag or is_time) and column.names & NEGATIVE:
        return False
    return False if is_time and column.names & SINCE else None


def _value(user: t.Any, attribute: str, default: object = None) -> t.Any:
    """Return the value of an attribute, or the result of a method."""
    value = getattr(user, attribute, default)
    if callable(value):
        # A method is true itself, whatever it returns.
        value = value()
    refuse_awaitable(value, f"{type(user).__name__}.{attribute}")
    return value


@lru_cache(maxsize=16)
def _own_is_active(model: t.Any) -> bool:
    """Return True if ``is_active`` can differ between the users of a model.

    Flask-Login's ``UserMixin``, and its copies, have a property that is True for all
    users, and a model that inherits it may have a column with the status.
    """
    found = inspect.getattr_static(model, "is_active", True)
    if found is True:
        return False
    function = getattr(found, "fget", None) or getattr(found, "func", None) or found
    return not _is_constant(function)


def _is_constant(function: t.Any) -> bool:
    """Return True if a method does nothing except to return True."""
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        return False
    code = function.__code__
    # Without names it can read no attribute and call nothing.
    if code.co_names or code.co_freevars or code.co_argcount != 1:
        return False
    return function(None) is True
