"""The background jobs, for administrators."""

from __future__ import annotations

from ..services import services
from .access import require_admin
from .bodies import Job
from .bodies import Jobs


def jobs() -> Jobs:
    """Show the background jobs, for administrators: the delivery to webhooks,
    retention, collection, pruning and verification.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    """
    require_admin()
    items = [
        Job(
            name=job.name,
            interval=None
            if job.interval is None
            else int(job.interval.total_seconds()),
            started_at=job.started_at,
            completed_at=job.completed_at,
            summary=job.summary,
            problem=job.problem,
            is_running=job.is_running,
            is_overdue=job.is_overdue,
        )
        for job in services().jobs.all()
    ]
    return Jobs(items=items)
