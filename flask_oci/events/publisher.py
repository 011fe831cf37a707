"""Event publisher: sends signals for changes and selects those that are persisted.

A signal without receivers costs one look-up in an empty dictionary.
"""

from __future__ import annotations

import logging
import typing as t

from flask import current_app
from flask import has_request_context
from flask import request

from .. import signals
from ..changes import Origin
from ..host_functions import name_of
from ..host_functions import refuse_awaitable
from ..signals import notify_receivers
from .request_state import request_state

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from ..catalog import Catalog
    from ..changes import Change
    from ..config import Config

logger = logging.getLogger("flask_oci.events")

#: The longest recorded ``User-Agent``, in characters; clients send any text.
MAX_USER_AGENT: t.Final = 200


class EventPublisher:
    """Observes the catalog for the current application.

    :param catalog: the names of users.
    :param config: returns the settings of the current application.
    :param visitor: returns the user who looks at a page, or None.
    """

    def __init__(
        self,
        catalog: Catalog,
        config: Callable[[], Config],
        visitor: Callable[[], t.Any],
    ) -> None:
        self._catalog = catalog
        self._config = config
        self._visitor = visitor

    def origin(self, by: t.Any) -> Origin:
        """Return the actor, address and client of the current request."""
        if not has_request_context():
            return Origin(request_state().actor or self._name_of(by))
        agent = request.user_agent.string[:MAX_USER_AGENT]
        return Origin(
            self._actor() or self._name_of(by),
            request.remote_addr,
            request.host,
            request.method,
            agent or None,
            request_state().is_robot,
            request_state().workflow,
        )

    def before(self, change: Change) -> None:
        """Send the signal before a change.

        :raises Denied: if a receiver raises it.
        :raises TypeError: if a receiver returns an awaitable, which would have to run
            before it could refuse the change.
        """
        signal = signals.BEFORE.get(change.kind)
        if signal is not None and signal.receivers:
            for receiver, result in signal.send(_application(), change=change):
                refuse_awaitable(result, name_of(receiver))

    def after(self, changes: list[Change]) -> None:
        """Send the signals after changes."""
        for change in changes:
            signal = signals.AFTER.get(change.kind)
            if signal is not None and signal.receivers:
                notify_receivers(signal, logger, change=change)

    def is_persisted(self, kind: str) -> bool:
        """Return True if the application persists events of a kind."""
        return kind in self._config().events

    def has_listeners(self, kind: str) -> bool:
        """Return True if the signal after a change of a kind has receivers."""
        signal = signals.AFTER.get(kind)
        return signal is not None and bool(signal.receivers)

    def _actor(self) -> str | None:
        state = request_state()
        if state.has_actor:
            return state.actor
        return self._catalog.users.name_of(self._visitor())

    def _name_of(self, key: t.Any) -> str | None:
        return self._catalog.users.names([key]).get(key)


def _application() -> Flask:
    return t.cast("Flask", t.cast(t.Any, current_app)._get_current_object())
