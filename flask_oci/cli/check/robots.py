"""Checks of the robots: those that stopped although a machine uses them."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ...clock import utcnow
from ...rules.wording import plural
from .findings import robots as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...catalog import Robot
    from .finding import Finding
    from .target import Target

#: A robot that was used in this time before it stopped is in use.
IN_USE: t.Final = timedelta(days=30)

#: The time before an expiry in which the check reports it.
SOON: t.Final = timedelta(days=14)

#: The number of robots that are examined, and that a finding names.
EXAMINED: t.Final = 1000
_NAMED: t.Final = 5


def check(target: Target) -> Iterator[Finding]:
    """Find robots that have expired or will soon, and robots without a manager."""
    robots = target.parts.catalog.robots.page(EXAMINED)
    enabled = [robot for robot in robots if robot.disabled_at is None]
    ending = [robot for robot in enabled if _is_ending(robot)]
    if ending:
        yield findings.ROBOT_EXPIRES.found(_names(ending))
    suspended = [
        robot
        for robot in enabled
        if not robot.is_expired and target.parts.robots.obstacle(robot) is not None
    ]
    if suspended:
        yield findings.ROBOT_SUSPENDED.found(_names(suspended))


def _is_ending(robot: Robot) -> bool:
    used, end = robot.last_used_at, robot.expires_at
    if end is None or used is None or end > utcnow() + SOON:
        return False
    return used > min(end, utcnow()) - IN_USE


def _names(robots: list[Robot]) -> str:
    shown = ", ".join(robot.login for robot in robots[:_NAMED])
    return f"{plural(len(robots), 'robot')}: {shown}."
