"""The structures of the activity of repositories."""

from __future__ import annotations

import datetime
import typing as t

from msgspec import Meta

from .base import Body


class ActivityDays(Body, frozen=True):
    """The parameters of the activity of a repository."""

    days: t.Annotated[
        t.Annotated[int, Meta(ge=1, le=366)],
        Meta(description="The number of days; the last one is today."),
    ] = 30


class ActivityDay(Body, frozen=True):
    """The activity of a repository on one day."""

    day: t.Annotated[datetime.date, Meta(description="The day, in UTC.")]
    pulls: t.Annotated[
        int,
        Meta(
            description="The number of manifest pulls. Recent pulls may be missing,"
            " because they are recorded with a delay."
        ),
    ]
    bytes: t.Annotated[
        int | None,
        Meta(
            description="The size of its blobs at the end of the day, each counted"
            " once; null before the first measurement."
        ),
    ]


class Activity(Body, frozen=True):
    """The activity of a repository by day."""

    days: t.Annotated[list[ActivityDay], Meta(description="The earliest day first.")]
