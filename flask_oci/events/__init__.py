"""Events: what happened, and who is told of it."""

from __future__ import annotations

import logging
import threading
import typing as t
from collections.abc import Sequence

from .. import changes
from ..catalog import FAILURES
from ..clock import utcnow
from . import signing
from . import ssrf
from .delivery import DeliveryResult
from .delivery import DeliveryWorker
from .formats import CLOUDEVENTS
from .formats import FORMS

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.delivery_log import DeliveryRow
    from ..catalog.outbox import StoredEvent
    from ..catalog.webhooks import WebhookInfo
    from ..config import Config

__all__ = ["Events", "FORMS", "DeliveryResult"]

logger = logging.getLogger("flask_oci.events")

#: How long a process that follows waits before it looks again, in seconds.
INTERVAL: t.Final = 1.0

#: The longest pattern of names that a webhook can have.
_LONGEST_PATTERN: t.Final = 255


class Events:
    """Lists events, and tells webhooks of them: ``registry.events``.

    Everything is called within an application context.
    """

    def __init__(self, catalog: Catalog, config: t.Callable[[], Config]) -> None:
        self._catalog = catalog
        self._config = config

    def latest(
        self,
        limit: int = 50,
        *,
        repository: str | None = None,
        kind: str | None = None,
        before: int | None = None,
    ) -> list[StoredEvent]:
        """Return what happened last, the newest first.

        :param limit: how many events to return at the most.
        :param repository: the name of the one that they are about.
        :param kind: such as ``manifest.pushed``.
        :param before: the id of the event to begin behind.
        """
        return self._catalog.outbox.latest(
            limit, repository=repository, kind=kind, before=before
        )

    def add_webhook(
        self,
        url: str,
        *,
        format: str = CLOUDEVENTS,
        kinds: Sequence[str] = ("*",),
        repositories: Sequence[str] = ("*",),
    ) -> WebhookInfo:
        """Have an address told of what happens from now on.

        :param url: takes a ``POST`` for each event.
        :param format: ``cloudevents``, or ``distribution`` for the notifications of
            CNCF Distribution.
        :param kinds: patterns of kinds of events, such as ``tag.*``.
        :param repositories: patterns of names; ``*`` in one stands for anything, ``/``
            included. What is about no repository is told where one is ``*``.
        :return: the webhook, whose ``secret`` the receiver has to know.
        :raises ValueError: if the address, the format or a pattern is invalid.
        """
        ssrf.check_url(url, self._config().webhook_networks)
        if format not in FORMS:
            raise ValueError(f"A format is one of {', '.join(FORMS)}, not {format!r}.")
        for pattern in kinds:
            if not changes.matching(pattern):
                raise ValueError(f"There is no kind of event like {pattern!r}.")
        for pattern in repositories:
            if not 0 < len(pattern) <= _LONGEST_PATTERN:
                raise ValueError("A pattern has between 1 and 255 characters.")
        secret = signing.new_secret()
        return self._catalog.webhooks.add(url, format, secret, kinds, repositories)

    def webhooks(self) -> list[WebhookInfo]:
        """Return every webhook, the oldest first."""
        return self._catalog.webhooks.all()

    def remove_webhook(self, key: str) -> bool:
        """Forget a webhook, and what it has yet to be told.

        :return: whether there was one.
        """
        return self._catalog.webhooks.remove(key)

    def deliver(self) -> DeliveryResult:
        """Make every delivery that is due. It may be called by several processes, or
        threads with a context of their own, at once."""
        return DeliveryWorker(self._config(), self._catalog).run()

    def follow(self, stop: threading.Event, interval: float = INTERVAL) -> None:
        """Make deliveries until told to stop. A database that does not answer is asked
        again.

        :param stop: when it is set, the present request is finished.
        :param interval: how many seconds to wait before looking for new events.
        """
        deliverer = DeliveryWorker(self._config(), self._catalog)
        while not stop.is_set():
            try:
                deliverer.run(lambda: not stop.is_set())
            except FAILURES:
                logger.exception("The database does not answer; trying again.")
                self._catalog.rollback()
            stop.wait(interval)

    def dead(self, limit: int = 50, webhook: str | None = None) -> list[DeliveryRow]:
        """Return deliveries that were given up, the newest event first, each with the
        log of its attempts.

        :param webhook: the id of the one that they are to.
        """
        log = self._catalog.delivery_log
        return log.rows(limit, log.dead(webhook))

    def deliveries_of(self, event_id: int) -> list[DeliveryRow]:
        """Return who was told of an event, or is to be, each with a log."""
        log = self._catalog.delivery_log
        return log.rows(1000, log.of_events([event_id]))

    def replay(
        self, event_ids: Sequence[int] | None = None, *, webhook: str | None = None
    ) -> int:
        """Have deliveries made once more that were made, or given up.

        :param event_ids: of which events; None is those of all that were given up.
        :param webhook: the id of the one that they are to.
        :return: how many deliveries are due again.
        """
        log = self._catalog.delivery_log
        if event_ids is None:
            return log.replay(log.dead(webhook))
        return log.replay(log.of_events(event_ids, webhook))

    def counts(self) -> dict[str, int]:
        """Return how many deliveries are ``pending`` and ``dead``, and how many events
        are ``unassigned``: nobody has looked yet who is to be told of them."""
        return self._catalog.delivery_log.counts()

    def prune(self) -> int:
        """Forget events that are older than ``OCI_EVENT_LIFETIME``, but for those that
        a webhook has yet to be told of.

        :return: how many there were.
        """
        lifetime = self._config().event_lifetime
        return self._catalog.outbox.prune(utcnow() - lifetime)
