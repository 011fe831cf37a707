"""Names of robots, and the accounts that image policies mean by a name."""

from __future__ import annotations

import re
import typing as t

from ..spec.reference import is_name

#: The name of a robot within its path or repository.
ROBOT_NAME: t.Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)


def policy_name(name: str | None, *, is_robot: bool) -> str | None:
    """Return the name by which image policies mean an account, or None.

    A user whose name is the login name of a robot is not meant, because a user may have
    chosen it in order to pass for the robot.

    :param name: the name of a user, or the login name of a robot.
    """
    place, plus, robot = (name or "").rpartition("+")
    is_login = plus and is_name(place) and ROBOT_NAME.fullmatch(robot)
    return None if is_login and not is_robot else name
