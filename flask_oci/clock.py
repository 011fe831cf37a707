"""The clock: UTC timestamps."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone

_EPOCH: t.Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utcnow() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(timezone.utc)


def microseconds(moment: datetime) -> int:
    """Return the number of microseconds from 1970 to a time.

    The rows that times of tokens are compared with have such numbers.

    :param moment: the time, with a time zone.
    """
    return (moment - _EPOCH) // timedelta(microseconds=1)


def as_utc(moment: datetime) -> datetime:
    """Return a time from the database with UTC as its time zone.

    Some databases do not store the time zone.

    :param moment: the time in UTC, with or without a time zone.
    """
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
