"""The user in whose name an operation changes a repository."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


def always() -> bool:
    """Return True. A user that the host's own code names may change protected tags."""
    return True


class Actor(t.NamedTuple):
    """A user, as known after the transaction that read the user's row has ended."""

    key: t.Any = None
    """The user's primary key, or None if there is no user."""

    name: str | None = None
    """The user's name, or None if there is no user."""

    may_manage: Callable[[], bool] = always
    """Returns True if the user may change protected tags. It is called only if a tag
    is protected, because the host's answer may take long."""
