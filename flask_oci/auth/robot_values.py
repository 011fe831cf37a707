"""Values of robots: their names, paths, descriptions and patterns."""

from __future__ import annotations

import typing as t

from ..catalog.robots import ROBOT_ACTIONS
from ..rules.paths import path_text
from ..rules.robot_names import ROBOT_NAME
from ..spec.reference import is_name
from .limits import checked_actions
from .limits import checked_patterns
from .limits import expiry

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping

    from ..catalog import RepositoryInfo
    from ..catalog import Robot

#: The maximum length of a robot's name and of its description, in characters.
NAME_LENGTH: t.Final = 64
DESCRIPTION_LENGTH: t.Final = 255


def checked_name(name: str) -> str:
    """Return the name of a robot within its path or repository.

    :raises ValueError: if it is invalid.
    """
    if len(name) > NAME_LENGTH or not ROBOT_NAME.fullmatch(name):
        raise ValueError(
            f"Invalid robot name {name!r}: use lower-case letters and digits, with"
            f" single '.', '_' or '-' between them; at most {NAME_LENGTH} characters."
        )
    return name


def checked_path(path: str | None) -> str:
    """Return the path of a robot, without ``/*``.

    :raises ValueError: if it is missing or invalid.
    """
    found = (path or "").removesuffix("/*")
    if not is_name(found):
        raise ValueError(
            f"Invalid path {path!r}: write a namespace, such as 'website'."
        )
    return found


def checked_description(text: str) -> str:
    """Return the description of a robot.

    :raises ValueError: if it is too long.
    """
    if len(text) > DESCRIPTION_LENGTH:
        raise ValueError(
            f"The description has more than {DESCRIPTION_LENGTH} characters."
        )
    return text


def patterns_of(
    place: str, repository: RepositoryInfo | None, patterns: Iterable[str] | None
) -> tuple[str, ...]:
    """Return the patterns of a robot.

    :param place: the path of the robot, or the name of its repository.
    :param repository: the repository, if the robot has no path.
    :param patterns: patterns of names in the path; None is all of them.
    :raises ValueError: if one of them is not in the path of the robot.
    """
    if repository is not None:
        if patterns is not None:
            raise ValueError("A robot of a repository has no patterns of repositories.")
        return ("*",)
    if patterns is None:
        return (place, path_text(place))
    wanted = checked_patterns(patterns)
    for pattern in wanted:
        if pattern != place and not pattern.startswith(f"{place}/"):
            raise ValueError(
                f"The pattern {pattern!r} is outside {path_text(place)}; begin it with"
                f" '{place}/'."
            )
    return wanted


def changed_columns(robot: Robot, values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the columns that a change of a robot sets.

    :param values: the values of ``RobotManager.change`` by name.
    :raises ValueError: if a value is invalid, or cannot be changed.
    """
    columns: dict[str, t.Any] = {}
    for name, value in values.items():
        if name == "description":
            columns[name] = checked_description(value)
        elif name == "actions":
            columns[name] = checked_actions(value, ROBOT_ACTIONS)
        elif name == "expires":
            columns["expires_at"] = expiry(value)
        elif name == "changes_protected_tags":
            columns[name] = bool(value)
        elif name == "repositories" and robot.path is not None:
            columns[name] = patterns_of(robot.path, None, value)
        else:
            raise ValueError(f"{name!r} of {robot.login} cannot be changed.")
    return columns
