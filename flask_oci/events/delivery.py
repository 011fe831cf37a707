"""Delivery of events to webhooks: at least once, and in order for each repository.

A worker claims a delivery, makes it and records its outcome, each step in its own
transaction. So it holds no database connection while it waits for a webhook. If a
process dies in between, another one makes the delivery again.
"""

from __future__ import annotations

import random
import time
import typing as t
from datetime import datetime
from datetime import timedelta

from ..catalog.deliveries import Outcome
from ..catalog.jobs import WEBHOOKS
from ..clock import utcnow
from . import formats
from .webhooks import post

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.deliveries import Claim
    from ..catalog.outbox import StoredEvent
    from ..catalog.webhooks import WebhookInfo
    from ..config import Config

#: The fields of an event with names of other repositories than its own.
OTHER_NAMES: t.Final = frozenset({"source", "former_name"})

#: The pause after the first failure. It doubles with each further one.
FIRST_WAIT: t.Final = timedelta(seconds=10)

#: The longest pause between two attempts.
LONGEST_WAIT: t.Final = timedelta(hours=1)

#: The time between two records that a process delivers events, in seconds.
_NOTE_INTERVAL: t.Final = 60.0

#: The time for DNS and the database in addition to the request.
_MARGIN: t.Final = timedelta(seconds=10)


class DeliveryResult(t.NamedTuple):
    """The numbers of deliveries that were made."""

    delivered: int
    """Deliveries that a webhook accepted."""

    failed: int
    """Deliveries that failed. They are retried later, or are dead."""


class DeliveryWorker:
    """Delivers events to the webhooks of one application.

    :param config: timeouts, attempts and allowed networks.
    :param catalog: the events and the deliveries.
    """

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog
        self._noted_at: float | None = None

    def run(self, wanted: t.Callable[[], bool] = lambda: True) -> DeliveryResult:
        """Make all deliveries that are due, and return their numbers.

        :param wanted: called before each delivery; False ends the run.
        """
        delivered = failed = 0
        while self._catalog.deliveries.assign():
            continue
        outcomes = [True]
        while outcomes and wanted():
            outcomes = self._round(wanted)
            delivered += outcomes.count(True)
            failed += outcomes.count(False)
        self._catalog.release()
        self._note_run()
        return DeliveryResult(delivered, failed)

    def run_once(self, wanted: t.Callable[[], bool]) -> DeliveryResult:
        """Make at most one delivery to each webhook.

        :param wanted: called before each delivery; False ends the run.
        """
        self._catalog.deliveries.assign()
        outcomes = self._round(wanted)
        self._catalog.release()
        self._note_run()
        return DeliveryResult(outcomes.count(True), outcomes.count(False))

    def _note_run(self) -> None:
        """Record from time to time that a process delivers events."""
        now = time.monotonic()
        if self._noted_at is None or now - self._noted_at >= _NOTE_INTERVAL:
            self._noted_at = now
            every = timedelta(seconds=_NOTE_INTERVAL)
            self._catalog.jobs.record(WEBHOOKS, at_most_every=every)

    def _round(self, wanted: t.Callable[[], bool]) -> list[bool]:
        """Make one delivery to each webhook, so that no webhook waits for another."""
        outcomes = []
        for webhook in self._catalog.webhooks.all():
            if not wanted():
                break
            if not webhook.is_open(utcnow()):
                continue
            claim = self._catalog.deliveries.claim(webhook, self._lease)
            if claim is not None:
                outcomes.append(self._deliver(webhook, claim))
        return outcomes

    @property
    def _lease(self) -> timedelta:
        return 2 * self._config.webhook_timeout + _MARGIN

    def _deliver(self, webhook: WebhookInfo, claim: Claim) -> bool:
        message = formats.write(
            _without_hidden_names(claim.event, webhook),
            webhook.form,
            url=self._config.external_url,
            service=self._config.service,
        )
        outcome = self._send(webhook, claim, message)
        self._catalog.deliveries.record_outcome(
            claim, outcome, self._retry_at(claim, outcome)
        )
        if message is not None:
            self._pause_or_resume(webhook, outcome)
        return outcome.succeeded

    def _send(
        self, webhook: WebhookInfo, claim: Claim, message: formats.Message | None
    ) -> Outcome:
        if message is None:
            return Outcome(None, None, 0)
        return post(self._config, webhook, claim.event.uuid, message)

    def _retry_at(self, claim: Claim, outcome: Outcome) -> datetime | None:
        if outcome.succeeded or claim.attempts + 1 >= self._config.webhook_attempts:
            return None
        return utcnow() + wait(claim.attempts)

    def _pause_or_resume(self, webhook: WebhookInfo, outcome: Outcome) -> None:
        """Pause a webhook that does not respond, because each further delivery would
        wait for the timeout as well."""
        if outcome.error is not None and outcome.status is None:
            failures = webhook.failures + 1
            until = utcnow() + wait(webhook.failures)
            self._catalog.webhooks.pause(webhook.id, failures, until)
        elif webhook.failures:
            self._catalog.webhooks.pause(webhook.id, 0, None)


def _without_hidden_names(event: StoredEvent, webhook: WebhookInfo) -> StoredEvent:
    """Return the event without names of repositories that the webhook does not cover:
    the source of a mount and a former name may be private."""
    data = {
        key: value
        for key, value in event.data.items()
        if key not in OTHER_NAMES or webhook.covers(value)
    }
    return event._replace(data=data)


def wait(failures: int) -> timedelta:
    """Return the pause after a number of failures. It doubles each time, with a random
    share, so that deliveries that failed together are not retried together."""
    longest: timedelta = min(FIRST_WAIT * 2 ** min(failures, 20), LONGEST_WAIT)
    share: float = random.uniform(0.5, 1)  # noqa: S311
    return longest * share
