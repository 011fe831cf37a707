"""Background jobs: retention, collection and the pruning of expired records.

Each job is a function that runs once. The worker (``operations.work``) calls it when it
is due; cron or a scheduler of the host may run the single commands instead.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta

from ..catalog.jobs import COLLECTION
from ..catalog.jobs import JobState
from ..catalog.jobs import PRUNING
from ..catalog.jobs import RETENTION
from ..catalog.jobs import VERIFICATION
from ..catalog.jobs import WEBHOOKS
from ..rules.wording import plural
from .gc import GarbageCollector
from .pruning import EVENTS
from .pruning import prunings
from .pruning import TOKENS
from .retention import RetentionRunner
from .verification import VerificationRunner

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..config import Config
    from ..core.attachments import AttachmentReader
    from ..core.documents import Documents
    from ..hooks import Hooks
    from ..storage import Storage

    Checkpoint: t.TypeAlias = Callable[[], object]

#: The time between two runs of the pruning.
PRUNING_INTERVAL: t.Final = timedelta(hours=1)

#: The time between two runs of the verification of signatures, which are verified when
#: they are pushed. A run reads only what was pushed before a change of the signers.
VERIFICATION_INTERVAL: t.Final = timedelta(hours=1)

#: The time before an incomplete run is repeated, unless the interval is shorter.
RETRY_INTERVAL: t.Final = timedelta(minutes=15)

#: The time without a complete run after which a job counts as overdue, in intervals.
OVERDUE_INTERVALS: t.Final = 3

#: The shortest such time, which also applies to the delivery to webhooks.
MIN_OVERDUE: t.Final = timedelta(hours=1)

#: The beginning of the sentence about a job that no process runs.
_SUBJECTS: t.Final = {
    WEBHOOKS: "No process delivers events to webhooks",
    RETENTION: "No process applies retention rules",
    COLLECTION: "No process runs the collection",
}

#: The remedy for a job that no process runs.
REMEDY: t.Final = "Run 'flask oci work', or set OCI_WORK = \"thread\"."


@dataclass(frozen=True, slots=True)
class JobReport:
    """The state of a background job: its last run, and whether it runs often enough."""

    name: str
    """``webhooks``, ``retention``, ``collection``, ``pruning`` or
    ``verification``."""

    interval: timedelta | None
    """The time between two runs; None for a job that runs all the time."""

    started_at: datetime | None
    """When a worker last started it."""

    ended_at: datetime | None
    """When the last run ended, complete or not."""

    completed_at: datetime | None
    """When the last complete run ended."""

    summary: str | None
    """The result of the last complete run."""

    failure: str | None
    """The reason why the last run, or an item of it, failed."""

    is_running: bool
    """Whether a worker runs it now."""

    is_overdue: bool
    """Whether it has something to do, and has not completed for too long or ever."""

    @property
    def problem(self) -> str | None:
        """A sentence if no process runs the job, or if its last run failed."""
        if self.failure is not None:
            return f"The last run of the job {self.name} failed: {self.failure}"
        if not self.is_overdue or self.is_running:
            return None
        last = "never" if self.completed_at is None else f"{self.completed_at:%Y-%m-%d}"
        return f"{_SUBJECTS[self.name]} (last complete run: {last})."


class JobReports:
    """Reports on the background jobs of one application.

    :param config: the intervals, and whether the application runs the jobs itself.
    :param catalog: the records of the runs.
    """

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._jobs = catalog.jobs

    def all(self) -> list[JobReport]:
        """Return a report on each job."""
        states, now, needed = self._jobs.overview()
        if self._config.retention:
            needed |= {RETENTION}
        return [
            self._report(
                states.get(name, JobState(name)), interval, now, name in needed
            )
            for name, interval in intervals(self._config).items()
        ]

    def overdue(self, name: str) -> JobReport | None:
        """Return the report on a job if it is overdue and does not run now.

        :param name: the name of the job.
        """
        (report,) = (report for report in self.all() if report.name == name)
        return report if report.is_overdue and not report.is_running else None

    def _report(
        self,
        state: JobState,
        interval: timedelta | None,
        now: datetime,
        is_needed: bool,
    ) -> JobReport:
        limit = max(OVERDUE_INTERVALS * (interval or timedelta()), MIN_OVERDUE)
        last = state.completed_at
        # The thread of an application starts with its first request.
        is_new = self._config.work is not None and state.ended_at is None
        is_late = not is_new if last is None else now - last > limit
        return JobReport(
            name=state.name,
            interval=interval,
            started_at=state.started_at,
            ended_at=state.ended_at,
            completed_at=last,
            summary=state.summary,
            failure=state.failure,
            is_running=state.is_claimed(now),
            is_overdue=is_needed and is_late,
        )


def intervals(config: Config) -> dict[str, timedelta | None]:
    """Return the jobs in the order in which they run, with the time between two runs.

    :param config: the intervals of the application.
    """
    return {
        WEBHOOKS: None,
        # The collection frees the space of the tags that retention has deleted.
        RETENTION: config.retention_interval,
        COLLECTION: config.collection_interval,
        PRUNING: PRUNING_INTERVAL,
        VERIFICATION: VERIFICATION_INTERVAL,
    }


def is_due(state: JobState, now: datetime, interval: timedelta) -> bool:
    """Return True if a job should run now.

    :param now: the database's time.
    :param interval: the time between two complete runs.
    """
    if state.ended_at is None:
        return True
    pause = interval if state.is_complete else min(interval, RETRY_INTERVAL)
    return now - state.ended_at >= pause


class JobRunner:
    """Runs the jobs of one application, without claims and intervals."""

    def __init__(
        self,
        config: Config,
        hooks: Hooks,
        catalog: Catalog,
        storage: Storage,
        documents: Documents,
        attachments: AttachmentReader,
    ) -> None:
        self._attachments = attachments
        self._config = config
        self._hooks = hooks
        self._catalog = catalog
        self._storage = storage
        self._documents = documents

    def run(self, name: str, checkpoint: Checkpoint) -> None:
        """Run a job to its end. The run is recorded, except if it raises.

        :param checkpoint: called between two pieces, outside of transactions. It ends
            the run by an exception.
        """
        runs: dict[str, Callable[[Checkpoint], object]] = {
            RETENTION: self._apply_retention,
            COLLECTION: self._collect_garbage,
            PRUNING: self._prune,
            VERIFICATION: self._verify,
        }
        runs[name](checkpoint)

    def _apply_retention(self, checkpoint: Checkpoint) -> None:
        runner = RetentionRunner(
            self._config, self._hooks, self._catalog, self._documents
        )
        for _ in runner.run(checkpoint=checkpoint):
            continue

    def _collect_garbage(self, checkpoint: Checkpoint) -> None:
        GarbageCollector(
            self._config, self._catalog, self._storage, checkpoint=checkpoint
        ).run()

    def _verify(self, checkpoint: Checkpoint) -> None:
        runner = VerificationRunner(self._catalog, self._attachments, checkpoint)
        count = runner.run()
        self._catalog.jobs.record(
            VERIFICATION,
            summary=f"Read {plural(count, 'artifact')}.",
            failure="; ".join(runner.failures) or None,
            complete=not runner.failures,
        )

    def _prune(self, checkpoint: Checkpoint) -> None:
        counts: dict[str, int] = {}
        for what, prune in prunings(self._catalog, self._config).items():
            counts[what] = prune() or 0
            checkpoint()
        events, tokens = counts[EVENTS], counts[TOKENS]
        self._catalog.jobs.record(
            PRUNING,
            summary=f"Deleted {plural(events, 'event')} and {plural(tokens, 'token')}.",
        )
