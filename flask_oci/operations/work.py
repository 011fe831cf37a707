"""Background work: a loop that delivers events and runs the jobs that are due.

Any number of processes may run it. Each delivery and each job has a lease in the
database, so only one of them works on it. The loop has one thread. During a long job,
it continues to deliver events between two pieces of the job.
"""

from __future__ import annotations

import logging
import threading
import time
import typing as t
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from ..catalog import FAILURES
from ..catalog.jobs import WEBHOOKS
from ..errors import CollectionRunning
from ..events import DeliveryResult
from ..rules.wording import plural
from .items import reason_of
from .jobs import intervals
from .jobs import is_due

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..catalog import Catalog
    from ..config import Config
    from ..events.delivery import DeliveryWorker
    from .jobs import JobRunner

logger = logging.getLogger("flask_oci.work")

#: The pause between two looks for new events, in seconds.
INTERVAL: t.Final = 1.0

#: The time between two looks for jobs that are due, in seconds.
JOBS_INTERVAL: t.Final = 10.0

#: The pause after a failure, in seconds.
FAILURE_INTERVAL: t.Final = 30.0

#: The longest time of deliveries before the next look for jobs, in seconds.
MAX_DELIVERY_TIME: t.Final = 60.0

#: How long the claim of a job lasts. A piece of a job should take less time.
LEASE: t.Final = timedelta(minutes=15)

#: The time after which the next checkpoint renews the claim, in seconds.
RENEWAL: t.Final = 60.0


class Interrupted(Exception):
    """The worker stops, or has lost its claim, so the job ends after this piece."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """The result of one run of a job, or of deliveries."""

    name: str
    """The name of the job."""

    text: str
    """The result in words, or the reason of the failure."""

    failed: bool
    """Whether the run, or an item of it, failed."""


class Worker:
    """Runs the background work of one application.

    :param context: returns a new application context.
    :param deliveries: delivers events to webhooks.
    :param runner: runs the jobs.
    :param stop: ends the work once it is set and the current piece is done.
    :param report: receives the outcome of each job and of deliveries.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        *,
        context: Callable[[], AbstractContextManager[object]],
        deliveries: DeliveryWorker,
        runner: JobRunner,
        stop: threading.Event | None = None,
        report: Callable[[JobOutcome], object] = lambda _: None,
    ) -> None:
        self._jobs = catalog.jobs
        self._rollback = catalog.rollback
        self._context = context
        self._deliveries = deliveries
        self._runner = runner
        self._stop = stop or threading.Event()
        self._report = report
        self._intervals = {
            name: interval
            for name, interval in intervals(config).items()
            if interval is not None
        }

    def run(self) -> None:
        """Work until the stop event is set. After a failure, try again."""
        jobs_at = 0.0
        while not self._stop.is_set():
            pause = INTERVAL
            try:
                with self._context():
                    self._deliver()
                if time.monotonic() >= jobs_at:
                    self._run_jobs()
                    jobs_at = time.monotonic() + JOBS_INTERVAL
            except Exception:
                logger.exception("The background work failed; trying again.")
                pause = FAILURE_INTERVAL
            self._stop.wait(pause)

    def run_once(self) -> None:
        """Make the deliveries that are due, and run each job that is due."""
        with self._context():
            self._deliver()
        self._run_jobs()

    def _deliver(self) -> None:
        end = time.monotonic() + MAX_DELIVERY_TIME
        result = self._deliveries.run(
            lambda: not self._stop.is_set() and time.monotonic() < end
        )
        if any(result):
            self._log(WEBHOOKS, _in_words(result), failed=result.failed > 0)

    def _run_jobs(self) -> None:
        with self._context():
            states, now, _ = self._jobs.overview()
        for name, interval in self._intervals.items():
            state = states.get(name)
            if state is not None and (
                state.is_claimed(now) or not is_due(state, now, interval)
            ):
                continue
            if self._stop.is_set():
                return
            with self._context():
                self._run_job(name, interval)

    def _run_job(self, name: str, interval: timedelta) -> None:
        lease = self._jobs.claim(name, LEASE, partial(is_due, interval=interval))
        if lease is None:
            return
        try:
            self._runner.run(name, _Checkpoint(self, name, lease))
        except (Interrupted, CollectionRunning):
            logger.info("The job %s was interrupted; a worker will repeat it.", name)
        except FAILURES:
            # The other jobs need the database too.
            self._rollback()
            raise
        except Exception as error:
            self._rollback()
            logger.exception("The job %s failed.", name)
            self._jobs.record(name, failure=reason_of(error), complete=False)
            self._log(name, reason_of(error), failed=True)
        else:
            state = self._jobs.overview().states[name]
            text = state.failure or state.summary or ""
            self._log(name, text, failed=state.failure is not None)
        finally:
            self._jobs.release(name, lease)

    @property
    def is_stopping(self) -> bool:
        """Whether the worker ends after the current piece."""
        return self._stop.is_set()

    def renew(self, name: str, lease: str) -> None:
        """Renew the claim of a job.

        :raises Interrupted: if another worker has claimed the job.
        """
        if not self._jobs.renew(name, lease, LEASE):
            raise Interrupted

    def deliver_once(self) -> None:
        """Deliver events once to each webhook, between two pieces of a job.

        :raises Interrupted: if the worker stops.
        """
        if self._stop.is_set():
            raise Interrupted
        result = self._deliveries.run_once(lambda: not self._stop.is_set())
        if any(result):
            self._log(WEBHOOKS, _in_words(result), failed=result.failed > 0)

    def _log(self, name: str, text: str, *, failed: bool) -> None:
        logger.log(logging.WARNING if failed else logging.INFO, "%s: %s", name, text)
        self._report(JobOutcome(name, text, failed))


class _Checkpoint:
    """The function that a job calls between two pieces."""

    def __init__(self, worker: Worker, name: str, lease: str) -> None:
        self._worker = worker
        self._name = name
        self._lease = lease
        self._renew_at = time.monotonic() + RENEWAL
        self._deliver_at = time.monotonic() + INTERVAL

    def __call__(self) -> None:
        now = time.monotonic()
        if now >= self._renew_at:
            self._worker.renew(self._name, self._lease)
            self._renew_at = now + RENEWAL
        if now >= self._deliver_at or self._worker.is_stopping:
            self._worker.deliver_once()
            self._deliver_at = time.monotonic() + INTERVAL


def _in_words(result: DeliveryResult) -> str:
    return f"Delivered {plural(result.delivered, 'webhook')}; {result.failed} failed."
