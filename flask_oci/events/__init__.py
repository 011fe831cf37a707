"""Events: the log of changes, webhooks and deliveries."""

from __future__ import annotations

import logging
import threading
import typing as t
from collections.abc import Sequence

from ..catalog import FAILURES
from ..clock import utcnow
from .delivery import DeliveryResult
from .delivery import DeliveryWorker
from .formats import FORMS
from .owners import as_sent
from .owners import Owners
from .webhooks import WebhookManager

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.delivery_log import DeliveryRow
    from ..catalog.outbox import StoredEvent
    from ..catalog.webhook_info import WebhookInfo
    from ..config import Config
    from .owners import Permissions

__all__ = ["Events", "FORMS", "DeliveryResult"]

logger = logging.getLogger("flask_oci.events")

#: The pause of :meth:`Events.follow` between two looks at the database, in seconds.
INTERVAL: t.Final = 1.0


class Events(WebhookManager):
    """Lists events and delivers them to webhooks: ``registry.events``.

    Call its methods within an application context.
    """

    def __init__(
        self,
        catalog: Catalog,
        config: t.Callable[[], Config],
        permissions: t.Callable[[], Permissions],
    ) -> None:
        self._catalog = catalog
        self._config = config
        self._owners = Owners(catalog, permissions)

    def worker(self, config: Config) -> DeliveryWorker:
        """Return a worker that delivers events.

        :param config: the configuration of the application.
        """
        return DeliveryWorker(config, self._catalog, self._owners)

    def deliveries_for_owner(
        self, webhook: WebhookInfo, rows: Sequence[DeliveryRow]
    ) -> list[DeliveryRow]:
        """Return the deliveries that the owner of a webhook may see now, without data
        about the clients.

        :param rows: the deliveries that :meth:`deliveries` returned.
        """
        return [
            row._replace(event=as_sent(row.event, webhook))
            for row in rows
            if self._owners.may_receive(webhook, row.event)
        ]

    def latest(
        self,
        limit: int = 50,
        *,
        repository: str | None = None,
        kind: str | None = None,
        before: int | None = None,
    ) -> list[StoredEvent]:
        """Return the latest events, the newest first.

        :param limit: the largest number of events to return.
        :param repository: the name of a repository; None returns those of all.
        :param kind: a kind of event, such as ``manifest.pushed``; None returns all.
        :param before: the id of an event; only older events are returned.
        """
        return self._catalog.outbox.latest(
            limit, repository=repository, kind=kind, before=before
        )

    def deliver(self) -> DeliveryResult:
        """Make all deliveries that are due.

        Several processes, or threads with their own application contexts, may call it
        at the same time.
        """
        return self.worker(self._config()).run()

    def follow(self, stop: threading.Event, interval: float = INTERVAL) -> None:
        """Make deliveries until an event is set. If the database does not respond, try
        again.

        :param stop: ends this method once it is set and the current request is done.
        :param interval: the pause before looking for new events, in seconds.
        """
        deliverer = self.worker(self._config())
        while not stop.is_set():
            try:
                deliverer.run(lambda: not stop.is_set())
            except FAILURES:
                logger.exception("The database does not respond; trying again.")
                self._catalog.rollback()
            stop.wait(interval)

    def dead(self, limit: int = 50, webhook: str | None = None) -> list[DeliveryRow]:
        """Return dead deliveries, the newest event first, each with its attempts.

        :param limit: the largest number of deliveries to return.
        :param webhook: the id of a webhook; None returns those of all.
        """
        log = self._catalog.delivery_log
        return log.rows(limit, log.dead(webhook))

    def deliveries(
        self,
        webhook: str,
        limit: int = 50,
        *,
        state: str | None = None,
        before: int | None = None,
    ) -> list[DeliveryRow]:
        """Return the deliveries to a webhook, the newest event first, each with its
        attempts.

        :param webhook: the id of the webhook.
        :param limit: the largest number of deliveries to return.
        :param state: ``pending``, ``delivered`` or ``dead``; None returns all.
        :param before: the id of an event; only deliveries of older events are returned.
        """
        log = self._catalog.delivery_log
        return log.rows(limit, log.to_webhook(webhook, state, before))

    def deliveries_of(self, event_id: int) -> list[DeliveryRow]:
        """Return the deliveries of an event, each with its attempts."""
        log = self._catalog.delivery_log
        return log.rows(1000, log.of_events([event_id]))

    def replay(
        self, event_ids: Sequence[int] | None = None, *, webhook: str | None = None
    ) -> int:
        """Schedule deliveries again that succeeded or are dead.

        :param event_ids: the ids of events; None selects all dead deliveries.
        :param webhook: the id of a webhook; None selects those of all.
        :return: the number of deliveries that are due again.
        """
        log = self._catalog.delivery_log
        if event_ids is None:
            return log.replay(log.dead(webhook))
        return log.replay(log.of_events(event_ids, webhook))

    def counts(self) -> dict[str, int]:
        """Return the numbers of ``pending`` and ``dead`` deliveries, and of
        ``unassigned`` events, which have no deliveries yet."""
        return self._catalog.delivery_log.counts()

    def prune(self) -> int:
        """Delete events that are older than ``OCI_EVENT_LIFETIME``, except those with a
        pending delivery.

        :return: the number of deleted events.
        """
        lifetime = self._config().event_lifetime
        return self._catalog.outbox.prune(utcnow() - lifetime)
