"""The one question that decides access: may this user do this to that repository?

It is asked at the time of use, on every route, and its answer is never
remembered, so that what a host changes takes effect at the next request.
"""

from __future__ import annotations

import typing as t

from .catalog.repositories import PUBLIC
from .catalog.users import is_active

if t.TYPE_CHECKING:
    from .catalog import RepositoryInfo
    from .catalog import Users
    from .hooks import Hooks
    from .scopes import Action


class Policy:
    """Answers for one host.

    :param hooks: where the host's own answer is, if it gives one.
    :param users: the host's users.
    """

    def __init__(self, hooks: Hooks, users: Users) -> None:
        self._hooks = hooks
        self._users = users

    @property
    def is_default(self) -> bool:
        """Whether the host leaves the answer to this module."""
        return self._hooks.authorize is None

    def may(self, user: t.Any, action: Action, repository: RepositoryInfo) -> bool:
        """Tell whether ``user`` may do ``action`` to ``repository``.

        :param user: one of the host's users, or None for somebody who did not
            say who they are.
        :param action: ``pull``, ``push`` or ``delete``.
        :param repository: it need not exist: a first push makes it.
        """
        if user is not None and not is_active(user):
            return False
        if self._hooks.authorize is not None:
            return bool(self._hooks.authorize(user, action, repository))
        return self._owns(user, repository) or (
            action == "pull" and repository.visibility == PUBLIC
        )

    def _owns(self, user: t.Any, repository: RepositoryInfo) -> bool:
        if user is None:
            return False
        if repository.exists:
            # Not by name: whoever takes the name of a user who left must not
            # get that user's images with it.
            return bool(repository.owner_id == self._users.key_of(user))
        return bool(self._users.namespace_of(user) == repository.namespace)
