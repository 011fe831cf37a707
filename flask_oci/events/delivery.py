"""Delivery of events to webhooks: at least once, and in order for each repository.

A worker claims a delivery, makes it and records its outcome, each step in its own
transaction. So it holds no database connection while it waits for a webhook. If a
process dies in between, another one makes the delivery again.
"""

from __future__ import annotations

import logging
import random
import time
import typing as t
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from datetime import timedelta

from ..catalog.deliveries import Outcome
from ..catalog.jobs import WEBHOOKS
from ..clock import utcnow
from . import audit
from . import formats
from .owners import as_sent
from .owners import DISABLED_AFTER
from .owners import MAX_PENDING
from .turns import MAX_REQUESTS
from .turns import Turns
from .webhooks import post

if t.TYPE_CHECKING:
    from concurrent.futures import Future

    from ..catalog import Catalog
    from ..catalog.deliveries import Claim
    from ..catalog.webhook_info import WebhookInfo
    from ..config import Config
    from .owners import Owners

logger = logging.getLogger("flask_oci.events")

#: The pause after the first failure. It doubles with each further one.
FIRST_WAIT: t.Final = timedelta(seconds=10)

#: The longest pause between two attempts.
LONGEST_WAIT: t.Final = timedelta(hours=1)

#: The time between two records that a process delivers events, in seconds.
_NOTE_INTERVAL: t.Final = 60.0

#: The longest reason why a webhook was disabled, in characters.
_LONGEST_REASON: t.Final = 255

#: The time for DNS and the database in addition to the request.
_MARGIN: t.Final = timedelta(seconds=10)


class DeliveryResult(t.NamedTuple):
    """The numbers of deliveries that were made."""

    delivered: int
    """Deliveries that a webhook accepted."""

    failed: int
    """Deliveries that failed. They are retried later, or are dead."""


@dataclass
class _Run:
    """The state of a run of deliveries."""

    outcomes: list[bool] = field(default_factory=list)
    """Whether each delivery that ended has succeeded."""

    queue: list[WebhookInfo] = field(default_factory=list)
    """The webhooks that wait for a turn."""

    served: set[str] = field(default_factory=set)
    """The ids of the webhooks that had a turn."""

    requests: dict[Future[Outcome], tuple[WebhookInfo, Claim]] = field(
        default_factory=dict
    )
    """The requests that have no answer yet."""

    is_changed: bool = True
    """Whether other deliveries may be due than when the queue was filled."""


class DeliveryWorker:
    """Delivers events to the webhooks of one application.

    :param config: timeouts, attempts and allowed networks.
    :param catalog: the events and the deliveries.
    :param owners: decides what webhooks of owners may receive.
    """

    def __init__(self, config: Config, catalog: Catalog, owners: Owners) -> None:
        self._config = config
        self._catalog = catalog
        self._owners = owners
        self._turns = Turns()
        self._noted_at: float | None = None

    def run(self, wanted: t.Callable[[], bool] = lambda: True) -> DeliveryResult:
        """Make all deliveries that are due, and return their numbers.

        :param wanted: called before each delivery; False ends the run.
        """
        while self._catalog.deliveries.assign(MAX_PENDING):
            continue
        return self._deliver_all(wanted, once=False)

    def run_once(self, wanted: t.Callable[[], bool]) -> DeliveryResult:
        """Make at most one delivery to each webhook.

        :param wanted: called before each delivery; False ends the run.
        """
        self._catalog.deliveries.assign(MAX_PENDING)
        return self._deliver_all(wanted, once=True)

    def _deliver_all(
        self, wanted: t.Callable[[], bool], *, once: bool
    ) -> DeliveryResult:
        """Make deliveries. Several threads wait for answers, and only this one uses the
        database."""
        run = _Run()
        with ThreadPoolExecutor(MAX_REQUESTS, "flask-oci-webhook") as pool:
            while True:
                if not run.queue and run.is_changed:
                    run.queue = self._due(run, once=once)
                    run.is_changed = False
                self._start_requests(run, wanted, pool)
                self._catalog.release()
                if run.requests:
                    self._finish_requests(run)
                elif run.queue or not run.is_changed or not wanted():
                    break
        self._note_run()
        return DeliveryResult(run.outcomes.count(True), run.outcomes.count(False))

    def _start_requests(
        self, run: _Run, wanted: t.Callable[[], bool], pool: ThreadPoolExecutor
    ) -> None:
        """Begin as many requests as are allowed now."""
        while wanted() and len(run.requests) < MAX_REQUESTS:
            busy = [webhook for webhook, _ in run.requests.values()]
            chosen = self._turns.next(run.queue, busy)
            if chosen is None:
                return
            run.served.add(chosen.id)
            claim = self._catalog.deliveries.claim(chosen, self._lease)
            if claim is None:
                continue
            request = self._start(chosen, claim, pool, run.outcomes)
            if request is None:
                run.is_changed = True
            else:
                run.requests[request] = chosen, claim

    def _finish_requests(self, run: _Run) -> None:
        """Wait until a request has an answer, and record the outcomes."""
        for request in wait_for(run.requests, return_when=FIRST_COMPLETED).done:
            webhook, claim = run.requests.pop(request)
            run.outcomes.append(self._finish(webhook, claim, request.result()))
            run.is_changed = True

    def _due(self, run: _Run, *, once: bool) -> list[WebhookInfo]:
        """Return the webhooks with a delivery that is due, in the order of their
        turns."""
        found = self._catalog.webhooks.due(utcnow())
        self._catalog.release()
        # The answer to a request may pause its webhook.
        skipped = {webhook.id for webhook, _ in run.requests.values()}
        if once:
            skipped |= run.served
        return [each for each in self._turns.order(found) if each.id not in skipped]

    def _note_run(self) -> None:
        """Record from time to time that a process delivers events."""
        now = time.monotonic()
        if self._noted_at is None or now - self._noted_at >= _NOTE_INTERVAL:
            self._noted_at = now
            every = timedelta(seconds=_NOTE_INTERVAL)
            self._catalog.jobs.record(WEBHOOKS, at_most_every=every)

    @property
    def _lease(self) -> timedelta:
        return 2 * self._config.webhook_timeout + _MARGIN

    def _start(
        self,
        webhook: WebhookInfo,
        claim: Claim,
        pool: ThreadPoolExecutor,
        outcomes: list[bool],
    ) -> Future[Outcome] | None:
        """Begin to send a delivery.

        :param outcomes: receives the outcome of a delivery that needs no request.
        :return: the request, or None if none is needed.
        """
        if not self._owners.may_receive(webhook, claim.event):
            self._catalog.deliveries.drop(claim)
            return None
        message = formats.write(
            as_sent(claim.event, webhook),
            webhook.form,
            url=self._config.external_url,
            service=self._config.service,
        )
        if message is None:
            outcome = Outcome(None, None, 0)
            self._catalog.deliveries.record_outcome(claim, outcome, None)
            outcomes.append(True)
            return None
        self._catalog.release()
        return pool.submit(post, self._config, webhook, claim.event.uuid, message)

    def _finish(self, webhook: WebhookInfo, claim: Claim, outcome: Outcome) -> bool:
        self._turns.note(webhook, outcome.milliseconds)
        self._catalog.deliveries.record_outcome(
            claim, outcome, self._retry_at(claim, outcome)
        )
        self._record_health(webhook, outcome)
        return outcome.succeeded

    def _retry_at(self, claim: Claim, outcome: Outcome) -> datetime | None:
        if outcome.succeeded or claim.attempts + 1 >= self._config.webhook_attempts:
            return None
        return utcnow() + wait(claim.attempts)

    def _record_health(self, webhook: WebhookInfo, outcome: Outcome) -> None:
        """Pause a webhook that does not respond, because each further delivery would
        wait for the timeout as well. Disable one of an owner that has failed for
        days."""
        now = utcnow()
        since = None if outcome.succeeded else webhook.failing_since or now
        if webhook.owner_id is not None and since and now - since >= DISABLED_AFTER:
            self._disable(webhook, outcome)
            return
        failures, until = 0, None
        if outcome.error is not None and outcome.status is None:
            failures, until = webhook.failures + 1, now + wait(webhook.failures)
        known = webhook.failures, webhook.failing_since
        if until is not None or (failures, since) != known:
            self._catalog.webhooks.pause(webhook.id, failures, until, since)

    def _disable(self, webhook: WebhookInfo, outcome: Outcome) -> None:
        reason = f"It has failed for {DISABLED_AFTER.days} days. {outcome.error}"
        if self._catalog.webhooks.give_up(webhook.id, reason[:_LONGEST_REASON]):
            owner = self._catalog.users.names([webhook.owner_id]).get(webhook.owner_id)
            logger.warning("Webhook %s was disabled. %s", webhook.id, reason)
            detail = {} if owner is None else {"owner": owner}
            audit.record(
                "webhook-disabled", None, webhook=webhook.id, reason=reason, **detail
            )


def wait(failures: int) -> timedelta:
    """Return the pause after a number of failures. It doubles each time, with a random
    share, so that deliveries that failed together are not retried together."""
    longest: timedelta = min(FIRST_WAIT * 2 ** min(failures, 20), LONGEST_WAIT)
    share: float = random.uniform(0.5, 1)  # noqa: S311
    return longest * share
