"""Change observers, which receive every change of the catalog."""

from __future__ import annotations

import typing as t

from ..changes import Change
from ..changes import Origin


class Observer(t.Protocol):
    """Receives the changes of a catalog."""

    def origin(self, by: t.Any) -> Origin:
        """Return the origin of the current change.

        :param by: the key of the user who makes the change, if it is known.
        """

    def before(self, change: Change) -> None:
        """Receive a change within the transaction that will make it.

        :raises Denied: to refuse the change; the transaction is then rolled back.
        """

    def after(self, changes: list[Change]) -> None:
        """Receive changes that have been committed. It must not raise."""

    def is_persisted(self, kind: str) -> bool:
        """Return True if changes of a kind are written to the outbox."""

    def has_listeners(self, kind: str) -> bool:
        """Return True if changes of a kind have listeners."""


class NullObserver:
    """The observer of a catalog that has no other observer."""

    def origin(self, by: t.Any) -> Origin:
        """Return an empty origin."""
        return Origin()

    def before(self, change: Change) -> None:
        """Allow the change."""

    def after(self, changes: list[Change]) -> None:
        """Do nothing."""

    def is_persisted(self, kind: str) -> bool:
        """Return False."""
        return False

    def has_listeners(self, kind: str) -> bool:
        """Return False."""
        return False
