"""Who is told of changes."""

from __future__ import annotations

import typing as t

from ..changes import Change
from ..changes import Origin


class Observer(t.Protocol):
    """Listens to the catalog on behalf of a host."""

    def origin(self, by: t.Any) -> Origin:
        """Return who makes the current change.

        :param by: the key of the user who does it, where that is known.
        """

    def before(self, change: Change) -> None:
        """Hear of a change within the transaction that will make it.

        :raises Denied: to refuse it; nothing of the transaction happens then.
        """

    def after(self, changes: list[Change]) -> None:
        """Hear of changes that have been committed, and raise nothing."""

    def is_persisted(self, kind: str) -> bool:
        """Tell whether changes of a kind are written to the outbox."""

    def has_listeners(self, kind: str) -> bool:
        """Tell whether anybody listens to changes of a kind."""


class NullObserver:
    """What observes a catalog that has not been told who does."""

    def origin(self, by: t.Any) -> Origin:
        """Return nobody."""
        return Origin()

    def before(self, change: Change) -> None:
        """Refuse nothing."""

    def after(self, changes: list[Change]) -> None:
        """Do nothing."""

    def is_persisted(self, kind: str) -> bool:
        """Keep nothing."""
        return False

    def has_listeners(self, kind: str) -> bool:
        """Hear nothing."""
        return False
