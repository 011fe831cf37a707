"""Permissions: whether a user may perform an action on a repository.

The policy is asked at the time of use, on every route. A permission is cached only if
the host says that it depends on the database alone, and only until something is
committed to the database, or until the rows that it depends on change. A change by the
host takes effect at the next request in each case.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..catalog.repository_info import namespace_of
from ..catalog.repository_info import read_only
from ..catalog.robots import Robot
from ..errors import Denied
from .robot_policy import RobotPolicy

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import Condition
    from ..catalog import RepositoryInfo
    from ..catalog import Users
    from ..config import Config
    from ..hooks import Hooks
    from ..rules.quota import QuotaUsage
    from ..spec.scope import Action
    from .account_status import AccountStatus


class Policy:
    """Decides for one application.

    :param config: whether a login is required.
    :param hooks: the host's own policy, if it has one.
    :param catalog: the users, and the repositories that they own.
    :param status: knows the active users.
    """

    def __init__(
        self, config: Config, hooks: Hooks, catalog: Catalog, status: AccountStatus
    ) -> None:
        self._config = config
        self._hooks = hooks
        self._catalog = catalog
        self._status = status
        self.robots = RobotPolicy(hooks, catalog, status)
        """The permissions of robots."""

    def is_allowed(
        self, user: t.Any, action: Action, repository: RepositoryInfo
    ) -> bool:
        """Return True if ``user`` may perform ``action`` on ``repository``.

        :param user: one of the host's users, a robot, or None for an anonymous client.
            The host's ``authorize`` function is never called with a robot.
        :param action: ``pull``, ``push``, ``delete`` or ``manage``.
        :param repository: the repository, which need not exist: the first push creates
            it.
        :raises Denied: if the repository caches an upstream and the action is not
            ``pull``, or if the host's function raises it.
        """
        if not self._is_accepted(user):
            return False
        repository = self.with_upstream(repository)
        if repository.upstream is not None and action != "pull":
            raise read_only(repository)
        if isinstance(user, Robot):
            decided = replace(repository, visibility=self.visibility(repository))
            return self.robots.is_allowed(user, action, decided)
        key = self._catalog.cached_users.key_of(user) if self._is_cached() else None
        if key is None:
            return self._decide(user, action, repository)
        hooks = (self._hooks.authorize, self._hooks.visibility_of)
        return self._catalog.reads.value(
            ("allowed", hooks, key, action, repository),
            lambda: self._decide(user, action, repository),
            # A refusal is computed each time. Otherwise a repository that does not
            # exist, which is asked about twice, would need less time than a hidden one.
            is_kept=bool,
            is_traced=self._config.cache_policy == "statements",
        )

    def _is_cached(self) -> bool:
        has_hooks = self._hooks.authorize or self._hooks.visibility_of
        return bool(self._config.cache_policy) and has_hooks is not None

    def _decide(self, user: t.Any, action: Action, repository: RepositoryInfo) -> bool:
        repository = replace(repository, visibility=self.visibility(repository))
        if self._hooks.authorize is not None:
            return self._hooks.authorize(user, action, repository)
        if repository.upstream is not None:
            # A user of the same name as the namespace does not own it.
            return repository.is_open_to(user)
        return default_policy(self._catalog.users, user, action, repository)

    def visibility(self, repository: RepositoryInfo) -> str:
        """Return the visibility of a repository: the host's decision, or else the
        recorded one."""
        decided = self.decided_visibility(repository)
        return repository.visibility if decided is None else decided

    def with_upstream(self, repository: RepositoryInfo) -> RepositoryInfo:
        """Return a repository with its upstream, also before its first fetch."""
        if repository.exists or repository.namespace not in self._config.upstreams:
            return repository
        return replace(repository, upstream=repository.namespace)

    def decided_visibility(self, repository: RepositoryInfo) -> str | None:
        """Return the visibility that the host or its configuration decides for a
        repository, or None."""
        decided = self._hooks.decided_visibility(repository)
        upstream = self._config.upstreams.get(repository.upstream or "")
        if decided is not None or upstream is None:
            return decided
        return upstream.visibility

    @property
    def may_decide_visibility(self) -> bool:
        """Whether the host or its configuration may decide visibilities, which then
        differ from the recorded ones."""
        return self._hooks.visibility_of is not None or bool(self._config.upstreams)

    def manages_path(self, user: t.Any, path: str) -> bool:
        """Return True if a user may read and set the rules of a path.

        :param user: one of the host's users, or None for an anonymous client.
        :param path: the stored path, such as ``website`` for ``website/*``.
        """
        if user is None or isinstance(user, Robot) or not self._is_accepted(user):
            return False
        if self._hooks.manages_namespace is not None:
            return self._hooks.manages_namespace(user, path)
        users = self._catalog.users
        key = users.key_of(user)
        namespace = namespace_of(path)
        if key is None or users.namespace_of(user) != namespace:
            return False
        if namespace in self._config.upstreams:
            # A user of the same name does not own the cached images.
            return False
        # A user who takes the name of a deleted user must neither see the size of that
        # user's images nor have them deleted; nor those of an image given away.
        return not self._catalog.repositories.has_others_below(path, key)

    def path_owner(self, user: t.Any) -> t.Any:
        """Return the owner of the repositories that a rule applies to which a user sets
        for a path, or None if it applies to all repositories of the path.

        If the host decides who manages a path, the path belongs to an object of the
        host, and its rules outlive the users who set them.
        """
        return None if self._hooks.manages_namespace is not None else user

    def may_see_usage(self, user: t.Any, usage: QuotaUsage) -> bool:
        """Return True if a user may know how much of a quota is used.

        A quota of several repositories reveals the size of those that are hidden from
        the user.

        :param user: one of the host's users, or None for an anonymous client.
        """
        if usage.path is not None:
            return self.manages_path(user, usage.path)
        return usage.owner_id in (None, self._catalog.users.key_of(user))

    def manages_robots(self, user: t.Any, path: str) -> bool:
        """Return True if a user may create and change the robots of a path.

        By default, these are the users whose namespace the path is in, also if they do
        not manage its rules, because a robot reaches their own repositories only.
        """
        if user is None or isinstance(user, Robot) or not self._is_accepted(user):
            return False
        if not path or namespace_of(path) in self._config.upstreams:
            return False
        if self._hooks.manages_namespace is not None:
            return self._hooks.manages_namespace(user, path)
        # A host with its own policy may have namespaces that are not those of users,
        # and a user with such a name.
        users = self._catalog.users
        is_own = users.namespace_of(user) == namespace_of(path)
        return is_own and self._hooks.authorize is None

    def manages_robot(self, user: t.Any, robot: Robot) -> bool:
        """Return True if a user may change a robot and its publishers."""
        if robot.path is not None:
            return self.manages_robots(user, robot.path)
        found = self._catalog.repositories.by_id(robot.repository_id or 0)
        try:
            return found is not None and self.is_allowed(user, "manage", found)
        except Denied:
            return False

    def list_filter(self, user: t.Any) -> Condition | None:
        """Return the database condition that selects the repositories that ``user`` may
        pull.

        None means that there is no such condition: the caller must ask
        :meth:`is_allowed` about each repository.
        """
        if isinstance(user, Robot):
            return self.robots.list_filter(user)
        if not self._is_accepted(user):
            return self._catalog.repositories.nothing()
        if self._hooks.list_filter is not None:
            return self._hooks.list_filter(user)
        if self._hooks.authorize is not None or self._hooks.visibility_of is not None:
            return None
        users = self._catalog.users
        return self._catalog.repositories.readable_by(users.key_of(user))

    def _is_accepted(self, user: t.Any) -> bool:
        """Return True if a user, or an anonymous client, may do anything at all."""
        if user is None:
            return not self._config.require_login
        if isinstance(user, Robot):
            # The permissions of robots are checked together.
            return True
        return self._status.is_active(user)


def default_policy(
    users: Users, user: t.Any, action: Action, repository: RepositoryInfo
) -> bool:
    """Return the decision of the default policy.

    The owner of a repository may do everything to it. A user may create repositories
    below their own name. Other users may pull public repositories and, if they are
    signed in, internal ones.
    """
    if user is not None and _owns(users, user, repository):
        return True
    return action == "pull" and repository.is_open_to(user)


def _owns(users: Users, user: t.Any, repository: RepositoryInfo) -> bool:
    if repository.exists:
        # The key decides, and not the name. A user who takes the name of a deleted user
        # must not get that user's images. A user that the host has not saved yet has no
        # key and owns nothing, in particular no repository without an owner.
        key = users.key_of(user)
        return key is not None and bool(repository.owner_id == key)
    return users.namespace_of(user) == repository.namespace
