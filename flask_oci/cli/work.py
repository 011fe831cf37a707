"""``flask oci work`` and ``flask oci jobs``: the background work and its state."""

from __future__ import annotations

import signal
import threading
import typing as t
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..operations.jobs import REMEDY
from ..services import make_worker
from ..services import services
from . import output
from .common import error_messages
from .common import PARTLY_FAILED
from .common import printable

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..operations.jobs import JobReport
    from ..operations.work import JobOutcome


@click.command()
@with_appcontext
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def work(once: bool, as_json: bool) -> None:
    """Run the background work until it is interrupted.

    The command delivers webhooks, applies retention, runs the collection and deletes
    expired records, until SIGTERM or Ctrl-C.

    Any number of these processes may run, on any machine with this database and this
    storage folder. The database assigns each delivery and each job to one of them. A
    signal ends the command when the current piece of its work is done.

    With --once, the command runs each job whose interval has passed, and ends with
    status 3 if one failed. OCI_RETENTION_INTERVAL and OCI_COLLECTION_INTERVAL set the
    intervals. 'flask oci jobs' shows the last runs.
    """
    outcomes: list[JobOutcome] = []

    def report(outcome: JobOutcome) -> None:
        outcomes.append(outcome)
        if as_json:
            output.as_json(asdict(outcome))
        else:
            line = f"{outcome.name}: {printable(outcome.text)}"
            click.echo(line, err=outcome.failed)

    stop = threading.Event()
    with error_messages():
        worker = make_worker(stop, report)
        _end_at_signals(stop)
        if not once:
            click.echo("Working until SIGTERM or Ctrl-C.", err=True)
            worker.run()
            return
        worker.run_once()
    if not outcomes:
        output.none_found("Nothing is due.")
    if any(outcome.failed for outcome in outcomes):
        raise click.exceptions.Exit(PARTLY_FAILED)


@click.command()
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def jobs(as_json: bool) -> None:
    """Show the last run of each background job.

    The command also shows the jobs that no process runs.
    """
    with error_messages():
        found = services().jobs.all()
    if as_json:
        output.as_json([_fields(job) for job in found])
        return
    output.table(
        ("job", "last complete run", "state", "result"),
        [(j.name, _minute(j.completed_at), _state(j), _result(j)) for j in found],
    )
    problems = [job.problem for job in found if job.problem]
    for problem in problems:
        click.echo(printable(problem), err=True)


def warn_of_overdue(name: str) -> None:
    """Print to the standard error that no process runs a job, if so.

    :param name: the name of the job that applies what the command has set.
    """
    report = services().jobs.overdue(name)
    if report is not None and report.problem is not None:
        click.echo(f"{printable(report.problem)} {REMEDY}", err=True)


def _end_at_signals(stop: threading.Event) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())


def _fields(job: JobReport) -> dict[str, t.Any]:
    interval = job.interval
    return {
        **asdict(job),
        "interval": None if interval is None else int(interval.total_seconds()),
        "problem": job.problem,
    }


def _minute(moment: datetime | None) -> str:
    return "never" if moment is None else output.minute(moment)


def _state(job: JobReport) -> str:
    if job.is_running:
        return "running"
    if job.failure is not None:
        return "failed"
    return "overdue" if job.is_overdue else "ok"


def _result(job: JobReport) -> str:
    return job.failure or job.summary or ""
