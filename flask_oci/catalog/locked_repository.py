"""A repository in a transaction that has locked it."""

from __future__ import annotations

import typing as t

from ..rules.protection import Guard

#: The permissions of an unknown caller, who may not change protected tags.
DEFAULT_GUARD: t.Final = Guard()


class LockedRepository(t.NamedTuple):
    """A repository that the current transaction has locked."""

    id: int
    name: str | None
    guard: Guard = DEFAULT_GUARD
    """The caller's permissions on its protected tags."""
