"""Robots: their creation, their secrets and their end."""

from __future__ import annotations

import secrets
import typing as t
from datetime import timedelta

from ..catalog import RepositoryInfo
from ..catalog import Robot
from ..catalog.robots import ROBOT_ACTIONS
from ..clock import utcnow
from ..events import audit
from .limits import checked_actions
from .limits import expiry
from .limits import USUAL_ACTIONS
from .robot_secrets import MAX_OVERLAP
from .robot_secrets import RobotSecrets
from .robot_values import changed_columns
from .robot_values import checked_description
from .robot_values import checked_name
from .robot_values import checked_path
from .robot_values import patterns_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog.credentials import Credential
    from ..catalog.repository_info import RepositoryRef
    from .access_tokens import IssuedToken
    from .robot_policy import RobotPolicy

#: The maximum number of robots of one path or repository.
MAX_ROBOTS: t.Final = 200

#: The maximum number of robots of all paths of a namespace.
MAX_IN_NAMESPACE: t.Final = 1000


class CreatedRobot(t.NamedTuple):
    """A new robot and its first secret."""

    robot: Robot
    secret: IssuedToken | None
    """The secret, which can be seen only now, or None if none was issued."""


class RobotManager:
    """Creates, lists, changes and deletes robots: ``registry.robots``.

    It does not check who calls it. The registry's own interfaces call it for users who
    manage the path or the repository, and for administrators.
    """

    def __init__(self, catalog: Catalog, policy: RobotPolicy) -> None:
        self.secrets = RobotSecrets(catalog)
        """The secrets of robots, for other ways to log in."""

        self._catalog = catalog
        self._robots = catalog.robots
        self._policy = policy

    def create(
        self,
        name: str,
        *,
        path: str | None = None,
        repository: RepositoryRef | None = None,
        description: str = "",
        repositories: Iterable[str] | None = None,
        actions: Iterable[str] = USUAL_ACTIONS,
        expires: datetime | timedelta | None = None,
        changes_protected_tags: bool = False,
        with_secret: bool = True,
        by: t.Any = None,
    ) -> CreatedRobot:
        """Create a robot of a path or of one repository.

        :param name: its name within the path or repository: lower-case letters and
            digits, with single dots, underscores and dashes between them.
        :param path: the path of its repositories, such as ``website`` for
            ``website/*``.
        :param repository: the repository, if the robot has no path.
        :param description: its purpose.
        :param repositories: patterns of names in the path; None is all of them. A robot
            of a repository has none.
        :param actions: some of ``pull``, ``push`` and ``delete``.
        :param expires: when, or after how long, the robot expires.
        :param changes_protected_tags: whether it may move and delete protected tags.
        :param with_secret: whether to issue a secret at once.
        :param by: the user who creates it, for the list and the audit log.
        :raises ValueError: if a value is invalid, or the name is in use.
        :raises NameUnknown: if the repository does not exist.
        """
        info = None if repository is None else self._repository(repository)
        place = checked_path(path) if info is None else info.name
        robot = Robot(
            id=secrets.token_hex(16),
            login=f"{place}+{checked_name(name)}",
            name=name,
            path=None if info is not None else place,
            repository_id=None if info is None else info.key,
            description=checked_description(description),
            actions=checked_actions(actions, ROBOT_ACTIONS),
            repositories=patterns_of(place, info, repositories),
            changes_protected_tags=changes_protected_tags,
            owner_key=self._policy.owner_key(None if info else place, info),
            created_by=self._name_of(by),
            created_at=utcnow(),
            expires_at=expiry(expires),
            disabled_at=None,
            disabled_by=None,
            last_used_at=None,
        )
        self._check_number(robot)
        issued, stored = self.secrets.new(robot) if with_secret else (None, None)
        if not self._robots.add(robot, stored, by=self._catalog.users.key_of(by)):
            raise ValueError(f"There is a robot {robot.login} already; choose a name.")
        self._record("robot-created", robot, by)
        return CreatedRobot(robot, issued)

    def find(self, login: str) -> Robot | None:
        """Return the robot with a login name, such as ``website+release``, or None."""
        return self._robots.by_login(login)

    def list(
        self, *, path: str | None = None, repository: RepositoryRef | None = None
    ) -> list[Robot]:
        """Return robots, ordered by their login names.

        :param path: the path, such as ``website``: its robots and those of the paths
            below it. The robots of single repositories are not among them.
        :param repository: the repository, if the path is None.
        """
        if repository is not None:
            return self._robots.of_repository(self._repository(repository).key)
        return self._robots.of_path(checked_path(path))

    def reaching(self, repository: RepositoryInfo) -> Sequence[Robot]:
        """Return the robots whose path contains a repository, or whose own it is,
        whatever their limits allow."""
        return self._robots.reaching(repository)

    def change(self, robot: Robot, *, by: t.Any = None, **values: t.Any) -> None:
        """Change a robot. Each change takes effect at the next request.

        :param by: the user who changes it, for the audit log.
        :param values: some of ``description``, ``repositories``, ``actions``,
            ``expires`` and ``changes_protected_tags``, as for :meth:`create`.
        :raises ValueError: if a value is invalid, or the robot has a new owner and has
            to be enabled first.
        """
        if values:
            self.check_owner(robot)
        columns = changed_columns(robot, values)
        if columns:
            self._robots.change(robot.id, **columns)
            self._record("robot-changed", robot, by, fields=" ".join(sorted(columns)))

    def rotate(
        self,
        robot: Robot,
        *,
        overlap: timedelta = timedelta(),
        expires: datetime | timedelta | None = None,
        by: t.Any = None,
    ) -> IssuedToken:
        """Issue a new secret. At most two secrets are valid at once.

        :param overlap: how long the present secret stays valid, at most 90 days.
        :param expires: when, or after how long, the new secret expires.
        :param by: the user who rotates it, for the audit log.
        :raises ValueError: if the overlap is too long, or the robot has a new owner and
            has to be enabled first.
        """
        self.check_owner(robot)
        if not timedelta() <= overlap <= MAX_OVERLAP:
            raise ValueError(
                f"The old secret can stay valid for {MAX_OVERLAP.days} days at most."
            )
        issued = self.secrets.issue(robot, expires_at=expiry(expires), overlap=overlap)
        self._record("robot-secret-issued", robot, by, token=issued.id)
        return issued

    def secrets_of(self, robot: Robot) -> Sequence[Credential]:
        """Return the secrets of a robot, the newest first."""
        return self.secrets.list(robot)

    def revoke_secret(self, robot: Robot, secret_id: str, *, by: t.Any = None) -> bool:
        """Revoke a secret at once, and every bearer token that was issued for it.

        :return: False if the robot has no such secret.
        """
        revoked = self.secrets.revoke(robot, secret_id)
        if revoked:
            self._record("robot-secret-revoked", robot, by, token=secret_id)
        return revoked

    def disable(self, robot: Robot, *, by: t.Any = None) -> None:
        """Disable a robot, which then may do nothing. Its secrets stay."""
        name = self._name_of(by)
        self._robots.change(robot.id, disabled_at=utcnow(), disabled_by=name)
        self._record("robot-disabled", robot, by)

    def enable(self, robot: Robot, *, by: t.Any = None) -> bool:
        """Enable a robot, or take it over.

        If its namespace or repository has another owner now, the robot becomes one of
        that owner, and its secrets are deleted: the former owner knows them.

        :return: True if its secrets were deleted. It then needs a new one.
        """
        is_other = self._policy.has_other_owner(robot)
        if is_other:
            found = None
            if robot.repository_id is not None:
                found = self._catalog.repositories.by_id(robot.repository_id)
            self._robots.take_over(robot.id, self._policy.owner_key(robot.path, found))
        else:
            self._robots.change(robot.id, disabled_at=None, disabled_by=None)
        self._record("robot-enabled", robot, by)
        return is_other

    def delete(self, robot: Robot, *, by: t.Any = None) -> bool:
        """Delete a robot and its secrets. The images that it pushed stay.

        :return: False if it was deleted before.
        """
        deleted = self._robots.delete(robot.id)
        if deleted:
            self._record("robot-deleted", robot, by)
        return deleted

    def delete_below(self, path: str, *, by: t.Any = None) -> int:
        """Delete the robots of a path and of the paths below it, for example when your
        application deletes a project.

        :return: the number of deleted robots.
        """
        return sum(self.delete(robot, by=by) for robot in self.list(path=path))

    def obstacle(self, robot: Robot) -> str | None:
        """Return the reason for which a robot may do nothing now, or None."""
        reason = self._policy.obstacle(robot)
        if reason is None and self._policy.has_other_owner(robot):
            return f"The robot {robot.login} is suspended: it has a new owner."
        return reason

    def check_owner(self, robot: Robot) -> None:
        """Check that a robot has not to be taken over.

        The owner of its name may be another one only for a while, and would keep a
        secret of a robot that the former owner has again.

        :raises ValueError: if it has a new owner.
        """
        now = self._robots.by_id(robot.id)
        if now is not None and self._policy.has_other_owner(now):
            raise ValueError(
                f"The robot {robot.login} has a new owner. Enable it first, which"
                " deletes its secrets and publishers."
            )

    def _repository(self, repository: RepositoryRef) -> RepositoryInfo:
        if isinstance(repository, RepositoryInfo):
            return repository
        return self._catalog.repositories.get(repository)

    def _check_number(self, robot: Robot) -> None:
        if robot.repository_id is not None:
            found = self._robots.of_repository(robot.repository_id)
        else:
            found = self._robots.of_path(robot.path or "")
        if len(found) >= MAX_ROBOTS:
            raise ValueError(f"There are {len(found)} robots here; delete some first.")
        namespace = robot.namespace
        if namespace and len(self._robots.of_path(namespace)) >= MAX_IN_NAMESPACE:
            raise ValueError(
                f"The paths of {namespace!r} have {MAX_IN_NAMESPACE} robots, which is"
                " the maximum; delete some first."
            )

    def _name_of(self, by: t.Any) -> str | None:
        return self._catalog.users.name_of(by)

    def _record(self, action: str, robot: Robot, by: t.Any, **detail: str) -> None:
        audit.record(action, self._name_of(by), robot=robot.login, **detail)
