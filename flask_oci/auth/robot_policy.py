"""Permissions of robots: their limits, their owners, and the host's function."""

from __future__ import annotations

import typing as t

from ..catalog.repository_info import namespace_of
from .limits import Limit
from .limits import limit_of

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import Condition
    from ..catalog import RepositoryInfo
    from ..catalog import Robot
    from ..hooks import Hooks
    from ..spec.scope import Action
    from .account_status import AccountStatus


class RobotPolicy:
    """Decides on robots for one application.

    A robot never reaches a repository outside its own path, whatever the host decides.

    :param hooks: the host's functions.
    :param catalog: the users, and the repositories that they own.
    :param status: knows the active users.
    """

    def __init__(self, hooks: Hooks, catalog: Catalog, status: AccountStatus) -> None:
        self._hooks = hooks
        self._catalog = catalog
        self._status = status

    def is_allowed(
        self, robot: Robot, action: Action, repository: RepositoryInfo
    ) -> bool:
        """Return True if a robot may perform an action on a repository.

        :param action: ``pull``, ``push``, ``delete`` or ``manage``; the last is never
            allowed.
        :raises Denied: if the host's function raises it.
        """
        if action == "manage" or repository.upstream is not None:
            return False
        is_within = limit_of(robot).allows(action, repository.name)
        if not is_within or not robot.reaches(repository):
            return False
        if self.obstacle(robot) is not None:
            return False
        if self._hooks.authorize_robot is not None:
            return self._hooks.authorize_robot(robot, action, repository)
        return self.owns(robot, repository)

    def owns(self, robot: Robot, repository: RepositoryInfo) -> bool:
        """Return True if the recorded owner of a robot owns a repository.

        It is the decision of the default policy. A repository of the path that was
        given to another owner is not the robot's any more.
        """
        if not self._has_same_owner(robot):
            return False
        if not repository.exists:
            return robot.path is not None
        return _text(repository.owner_id) == robot.owner_key

    def obstacle(self, robot: Robot) -> str | None:
        """Return the reason for which a robot may do nothing now, as a sentence, or
        None."""
        if robot.disabled_at is not None:
            return f"The robot {robot.login} is disabled."
        if robot.is_expired:
            return f"The robot {robot.login} has expired."
        if self._hooks.authorize_robot is None and self._hooks.authorize is not None:
            return (
                "This application does not accept robots, because it has no function"
                " for @registry.authorize_robot."
            )
        if not self._is_owner_checked(robot) or self._has_same_owner(robot):
            return None
        return (
            f"The robot {robot.login} is suspended, because its namespace or repository"
            " has another owner, or its owner is not active."
        )

    def list_filter(self, robot: Robot) -> Condition | None:
        """Return the database condition that selects the repositories that a robot may
        pull, as :meth:`Policy.list_filter` does for users."""
        repositories = self._catalog.repositories
        can_pull = Limit(robot.actions, ("*",)).allows("pull", "any")
        if not can_pull or self.obstacle(robot) is not None:
            return repositories.nothing()
        if self._hooks.authorize_robot is not None:
            return None
        reach = self._catalog.robots.reach_of(robot)
        return reach & repositories.owned_exactly_by(self._owner_id(robot))

    def owner_key(
        self, path: str | None, repository: RepositoryInfo | None
    ) -> str | None:
        """Return the key of the owner to record for a robot, as text.

        :param path: the path of the robot, or None.
        :param repository: the repository of the robot, or None.
        """
        if path is not None:
            namespace = namespace_of(path)
            return _text(self._catalog.users.owner_of_namespace(namespace))
        if repository is None or self._hooks.authorize is not None:
            # The host's function decides on repositories, whose owner may be the user
            # who pushed first and left.
            return None
        return _text(repository.owner_id)

    def has_other_owner(self, robot: Robot) -> bool:
        """Return True if a robot has to be taken over by a new owner."""
        if robot.path is not None:
            return self.owner_key(robot.path, None) != robot.owner_key
        found = self._catalog.repositories.by_id(robot.repository_id or 0)
        return self.owner_key(None, found) != robot.owner_key

    def _is_owner_checked(self, robot: Robot) -> bool:
        """Return True if the registry itself checks the owner. A host's function does
        otherwise, except for the namespaces of users."""
        if self._hooks.authorize_robot is None:
            return True
        return robot.path is not None and robot.owner_key is not None

    def _has_same_owner(self, robot: Robot) -> bool:
        """Return True if the recorded owner still has the namespace and is active. A
        robot of a namespace without a user needs that no user has it now."""
        if robot.path is None:
            # The row of the repository has the owner.
            owner = self._recorded_owner(robot)
            return (owner is None) == (robot.owner_key is None) and (
                owner is None or self._status.is_active(owner)
            )
        owner = self._catalog.users.by_name(namespace_of(robot.path))
        key = _text(self._catalog.users.key_of(owner))
        return key == robot.owner_key and (
            owner is None or self._status.is_active(owner)
        )

    def _recorded_owner(self, robot: Robot) -> t.Any:
        if robot.owner_key is None:
            return None
        return self._catalog.users.find(robot.owner_key)

    def _owner_id(self, robot: Robot) -> t.Any:
        return self._catalog.users.key_of(self._recorded_owner(robot))


def _text(key: t.Any) -> str | None:
    return None if key is None else str(key)
