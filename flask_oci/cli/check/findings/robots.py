"""Findings about robots."""

from __future__ import annotations

from ..finding import FindingType

ROBOT_EXPIRES = FindingType(
    "robot-expires",
    "warning",
    "A robot that is in use has expired, or expires within two weeks.",
    "The machine that uses it can no longer push or pull then.",
    {
        "python": "registry.robots.change(robot, expires=timedelta(days=90))",
    },
)

ROBOT_SUSPENDED = FindingType(
    "robot-suspended",
    "warning",
    "A robot may do nothing, because its namespace has another owner or none, or the"
    " application has no function for robots.",
    "Its requests are refused until the owner of the namespace enables it.",
    {
        "command": "flask --app forge oci robot enable LOGIN  # Or delete it.",
        "python": "@registry.authorize_robot  # If you have @registry.authorize.",
    },
)
