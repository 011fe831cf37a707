"""The background work, for administrators."""

from __future__ import annotations

import typing as t

from markupsafe import Markup

from ..catalog.jobs import COLLECTION
from ..catalog.jobs import PRUNING
from ..catalog.jobs import RETENTION
from ..catalog.jobs import VERIFICATION
from ..catalog.jobs import WEBHOOKS
from ..operations.jobs import REMEDY
from ..services import services
from .access import require_admin
from .rendering import Page
from .rendering import render
from .translation import gettext
from .translation import ngettext

if t.TYPE_CHECKING:
    from datetime import timedelta

    from ..operations.jobs import JobReport


class JobEntry(t.NamedTuple):
    """A background job in a list."""

    report: JobReport
    title: Markup
    text: Markup
    """The purpose of the job, in the visitor's language."""

    interval: Markup


def jobs() -> Page:
    """Show the background jobs, and whether a process runs them."""
    require_admin()
    reports = services().jobs.all()
    return render(
        "oci/jobs.html",
        jobs=[_entry(report) for report in reports],
        is_idle=any(report.is_overdue and not report.is_running for report in reports),
        remedy=REMEDY,
    )


def _entry(report: JobReport) -> JobEntry:
    texts = {
        WEBHOOKS: (
            gettext("Webhooks"),
            gettext("Delivers events to the webhooks."),
        ),
        RETENTION: (
            gettext("Retention"),
            gettext("Deletes old tags and images by the rules of retention."),
        ),
        COLLECTION: (
            gettext("Garbage collection"),
            gettext("Frees the disk space of content that is not needed."),
        ),
        PRUNING: (
            gettext("Pruning"),
            gettext("Deletes expired tokens and old events."),
        ),
        VERIFICATION: (
            gettext("Verification"),
            gettext("Compares attached signatures with the trusted signers."),
        ),
    }
    plain = Markup.escape(report.name)
    title, text = texts.get(report.name, (plain, Markup()))
    return JobEntry(report, title, text, _interval(report.interval))


def _interval(interval: timedelta | None) -> Markup:
    if interval is None:
        return gettext("all the time")
    minutes = max(round(interval.total_seconds() / 60), 1)
    if minutes < 60:
        return ngettext("every %(num)s minute", "every %(num)s minutes", minutes)
    return ngettext("every %(num)s hour", "every %(num)s hours", round(minutes / 60))
