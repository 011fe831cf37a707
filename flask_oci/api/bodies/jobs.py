"""The structures of background jobs."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta

from .base import Body


class Job(Body, frozen=True):
    """A background job: its last run, and whether it runs often enough."""

    name: t.Annotated[
        str,
        Meta(
            description="`webhooks`, `retention`, `collection`, `pruning` or"
            " `verification`."
        ),
    ]
    interval: t.Annotated[
        int | None,
        Meta(
            description="The seconds between two runs; null for a job that runs all the"
            " time."
        ),
    ]
    started_at: t.Annotated[
        datetime | None, Meta(description="When it last began; null for never.")
    ]
    completed_at: t.Annotated[
        datetime | None,
        Meta(description="When the last complete run ended; null if there was none."),
    ]
    summary: t.Annotated[
        str | None, Meta(description="The result of the last complete run.")
    ]
    problem: t.Annotated[
        str | None,
        Meta(
            description="A sentence if no process runs the job, or if its last run"
            " failed; else null."
        ),
    ]
    is_running: t.Annotated[bool, Meta(description="Whether it runs now.")]
    is_overdue: t.Annotated[
        bool,
        Meta(
            description="Whether it has something to do, and has not completed for too"
            " long or ever."
        ),
    ]


class Jobs(Body, frozen=True):
    """The background jobs."""

    items: t.Annotated[list[Job], Meta(description="The jobs.")]
