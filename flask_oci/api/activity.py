"""The activity of a repository by day."""

from __future__ import annotations

from ..services import services
from .access import authorize
from .bodies import Activity
from .bodies import ActivityDay
from .bodies import ActivityDays


def activity(name: str, query: ActivityDays) -> Activity:
    """Show the pulls and the size of a repository by day.

    Days are those of UTC, the earliest first, without gaps. The registry keeps the
    activity of a year.

    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    days = services().catalog.repository_days.latest(authorize(name).key, query.days)
    return Activity(days=[ActivityDay(*day) for day in days])
