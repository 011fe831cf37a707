"""The clock: UTC timestamps."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone

_EPOCH: t.Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utcnow() -> datetime:
    """The present moment, with its time zone."""
    return datetime.now(timezone.utc)


def microseconds(moment: datetime) -> int:
    """Return how many microseconds after 1970 a moment is. Not every database keeps
    less than a second."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def as_utc(moment: datetime) -> datetime:
    """Give a moment from the database its time zone back; not every database
    keeps it."""
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
