"""The one question that decides access: may this user do this to that repository?

It is asked at the time of use, on every route, and its answer is never
remembered, so that what a host changes takes effect at the next request.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..hooks import refuse_awaitable

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import Condition
    from ..catalog import RepositoryInfo
    from ..catalog import Users
    from ..config import Config
    from ..hooks import Hooks
    from ..spec.scope import Action


class Policy:
    """Answers for one application.

    :param config: whether everybody has to say who they are.
    :param hooks: where the host's own answer is, if it gives one.
    :param catalog: who the users are, and what they own.
    """

    def __init__(self, config: Config, hooks: Hooks, catalog: Catalog) -> None:
        self._config = config
        self._hooks = hooks
        self._catalog = catalog

    def is_allowed(
        self, user: t.Any, action: Action, repository: RepositoryInfo
    ) -> bool:
        """Tell whether ``user`` may do ``action`` to ``repository``.

        :param user: one of the host's users, or None for somebody who did not
            say who they are.
        :param action: ``pull``, ``push``, ``delete`` or ``manage``.
        :param repository: it need not exist: a first push makes it.
        """
        if not self._admits(user):
            return False
        repository = replace(repository, visibility=self.visibility(repository))
        if self._hooks.authorize is not None:
            return self._hooks.authorize(user, action, repository)
        return default_policy(self._catalog.users, user, action, repository)

    def visibility(self, repository: RepositoryInfo) -> str:
        """Return who may see a repository: what the host says, or what is recorded."""
        decided = self.decided_visibility(repository)
        return repository.visibility if decided is None else decided

    def decided_visibility(self, repository: RepositoryInfo) -> str | None:
        """Return what the host says about who may see a repository, if it does."""
        if self._hooks.visibility_of is None:
            return None
        return self._hooks.visibility_of(repository)

    def list_filter(self, user: t.Any) -> Condition | None:
        """Return the condition by which the database finds what ``user`` may pull.

        None has no row left out: the caller asks :meth:`is_allowed` about each.
        """
        if not self._admits(user):
            return self._catalog.repositories.nothing()
        if self._hooks.list_filter is not None:
            return self._hooks.list_filter(user)
        if self._hooks.authorize is not None or self._hooks.visibility_of is not None:
            return None
        users = self._catalog.users
        return self._catalog.repositories.readable_by(users.key_of(user))

    def _admits(self, user: t.Any) -> bool:
        """Tell whether somebody may do anything at all."""
        return not self._config.require_login if user is None else is_active(user)


def default_policy(
    users: Users, user: t.Any, action: Action, repository: RepositoryInfo
) -> bool:
    """Answer where the host does not.

    A repository's owner may do everything to it, and the user whose name its
    first component is may make it. Others may pull it when it is public, and
    signed-in users when it is internal.
    """
    if user is not None and _owns(users, user, repository):
        return True
    return action == "pull" and repository.is_open_to(user)


def _owns(users: Users, user: t.Any, repository: RepositoryInfo) -> bool:
    if repository.exists:
        # Not by name: whoever takes the name of a user who left must not get
        # that user's images with it.
        # A user whom the host has not saved yet has no key, and owns nothing; least of
        # all what belongs to nobody.
        key = users.key_of(user)
        return key is not None and bool(repository.owner_id == key)
    return users.namespace_of(user) == repository.namespace


def is_active(user: t.Any) -> bool:
    """Return True if the host lets this user do anything (Flask-Login's ``is_active``).

    :param user: one of the host's users, whose ``is_active`` may be a method.
    :raises TypeError: if that is a coroutine function.
    """
    active = getattr(user, "is_active", True)
    if callable(active):
        # A method is true itself, whatever it returns.
        active = active()
    refuse_awaitable(active, f"{type(user).__name__}.is_active")
    return bool(active)
