"""The key of a robot, where the key of a user would be for a user."""

from __future__ import annotations

import typing as t


class RobotKey(t.NamedTuple):
    """A robot that makes a change, or has made one.

    It is not a key of the host's users, and no column of such a key accepts it: a
    statement that receives it by mistake fails.
    """

    id: str
    """The key of the robot; empty for a change that was recorded."""

    login: str
    """The login name of the robot, which it keeps for its life; empty for the robot of
    an upload session."""


def user_key(by: t.Any) -> t.Any:
    """Return the key of the user who makes a change, or None for a robot."""
    return None if isinstance(by, RobotKey) else by


def robot_id(by: t.Any) -> str | None:
    """Return the key of the robot that makes a change, or None for a user."""
    return by.id if isinstance(by, RobotKey) else None


def robot_login(by: t.Any) -> str | None:
    """Return the login name of the robot that makes a change, or None for a user."""
    return by.login if isinstance(by, RobotKey) else None


def key_of_row(user_id: t.Any, login: str | None) -> t.Any:
    """Return the key of the user or the robot that a row names."""
    return user_id if login is None else RobotKey("", login)
