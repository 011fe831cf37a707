"""Checks of the background work: whether a process applies what was set."""

from __future__ import annotations

import typing as t

from ...catalog.jobs import COLLECTION
from ...catalog.jobs import RETENTION
from ...catalog.jobs import WEBHOOKS
from .findings import work as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .finding import Finding
    from .target import Target


def check(target: Target) -> Iterator[Finding]:
    """Check the last runs of the background jobs."""
    reports = {report.name: report for report in target.parts.jobs.all()}
    failed = [r.problem for r in reports.values() if r.failure and r.problem]
    if failed:
        yield findings.JOB_FAILED.found(" ".join(failed))
    idle = [
        report.problem
        for name in (RETENTION, WEBHOOKS)
        if (report := reports[name]).is_overdue and report.problem
    ]
    if idle:
        yield findings.WORK_MISSING.found(" ".join(idle))
    collection = reports[COLLECTION]
    if collection.is_overdue and collection.problem:
        yield findings.COLLECTION_MISSING.found(collection.problem)
