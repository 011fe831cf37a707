"""Delivery: webhooks are told of every event, at least once, and of those of one
repository in order.

A delivery is taken, made and settled, each in a transaction of its own, so no
connection to the database is held while somebody is waited for. A process that dies in
between leaves a delivery that another one makes again.
"""

from __future__ import annotations

import random
import time
import typing as t
from datetime import datetime
from datetime import timedelta

from ..catalog.deliveries import Outcome
from ..clock import utcnow
from . import formats
from . import signing
from .http_client import send

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.deliveries import Claim
    from ..catalog.outbox import StoredEvent
    from ..catalog.webhooks import WebhookInfo
    from ..config import Config

#: What an event has of the names of repositories, beside that of its own.
OTHER_NAMES: t.Final = frozenset({"source", "former_name"})

#: How long after the first failure the next attempt is made; it doubles each time.
FIRST_WAIT: t.Final = timedelta(seconds=10)

#: The longest wait.
LONGEST_WAIT: t.Final = timedelta(hours=1)

#: How long looking up a name, and the database, may take besides.
_MARGIN: t.Final = timedelta(seconds=10)


class DeliveryResult(t.NamedTuple):
    """How many deliveries were made."""

    delivered: int
    """To webhooks that answered that they have it."""

    failed: int
    """To others; they are made again later, or have been given up."""


class DeliveryWorker:
    """Tells the webhooks of one application.

    :param config: how long to wait for them, where they may be.
    :param catalog: what they are to be told.
    """

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def run(self, wanted: t.Callable[[], bool] = lambda: True) -> DeliveryResult:
        """Make every delivery that is due, and return how many there were.

        :param wanted: asked before each; when it says no, the rest is left.
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
        return DeliveryResult(delivered, failed)

    def _round(self, wanted: t.Callable[[], bool]) -> list[bool]:
        """Make one delivery to each webhook, so that none waits for a busy one."""
        outcomes = []
        for webhook in self._catalog.webhooks.all():
            if not wanted():
                break
            if webhook.paused_until and webhook.paused_until > utcnow():
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
            _without_others(claim.event, webhook),
            webhook.form,
            url=self._config.external_url,
            service=self._config.service,
        )
        outcome = self._send(webhook, claim, message)
        self._catalog.deliveries.record_outcome(
            claim, outcome, self._retry_at(claim, outcome)
        )
        if message is not None:
            self._mind(webhook, outcome)
        return outcome.succeeded

    def _send(
        self, webhook: WebhookInfo, claim: Claim, message: formats.Message | None
    ) -> Outcome:
        if message is None:
            return Outcome(None, None, 0)
        moment, key = int(time.time()), claim.event.uuid
        headers = {
            "Content-Type": message.content_type,
            "User-Agent": "flask-oci",
            **signing.headers(webhook.secret, key, moment, message.body),
        }
        return send(
            webhook.url,
            message.body,
            headers,
            allowed=self._config.webhook_networks,
            timeout=self._config.webhook_timeout.total_seconds(),
        )

    def _retry_at(self, claim: Claim, outcome: Outcome) -> datetime | None:
        if outcome.succeeded or claim.attempts + 1 >= self._config.webhook_attempts:
            return None
        return utcnow() + wait(claim.attempts)

    def _mind(self, webhook: WebhookInfo, outcome: Outcome) -> None:
        """Leave a webhook alone for a while that does not answer at all: whatever else
        it is to be told would have to wait for nothing, too."""
        if outcome.error is not None and outcome.status is None:
            failures = webhook.failures + 1
            until = utcnow() + wait(webhook.failures)
            self._catalog.webhooks.pause(webhook.id, failures, until)
        elif webhook.failures:
            self._catalog.webhooks.pause(webhook.id, 0, None)


def _without_others(event: StoredEvent, webhook: WebhookInfo) -> StoredEvent:
    """Leave out the names of repositories that a webhook is told nothing of: where a
    blob was mounted from, and what a repository was called before, may be private."""
    data = {
        key: value
        for key, value in event.data.items()
        if key not in OTHER_NAMES or webhook.covers(value)
    }
    return event._replace(data=data)


def wait(failures: int) -> timedelta:
    """Return how long to wait after some failures: twice as long each time, and not
    exactly so, since those who fail together would otherwise come back together."""
    longest: timedelta = min(FIRST_WAIT * 2 ** min(failures, 20), LONGEST_WAIT)
    share: float = random.uniform(0.5, 1)  # noqa: S311
    return longest * share
