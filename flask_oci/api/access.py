"""The caller of a REST operation, and the caller's permissions."""

from __future__ import annotations

import typing as t

from ..catalog import RepositoryInfo
from ..core.actor import Actor
from ..errors import Denied
from ..errors import NameUnknown
from ..http import authorization
from ..services import principal
from ..services import services

if t.TYPE_CHECKING:
    from ..spec.scope import Action


def authorize(name: str, action: Action = "pull") -> RepositoryInfo:
    """Return an existing repository if the caller may do ``action`` to it.

    A previous name of the repository is accepted for reading, with a warning; changes
    need the current name. A repository that the caller may neither see nor change
    appears not to exist.

    :raises Unauthorized: 401, if other credentials could allow it.
    :raises Denied: 403, if the caller may see the repository, but not do that.
    :raises NameUnknown: 404, if the caller may not see the repository.
    """
    if action != "pull":
        _check_bearer(name, action)
        _check_visible(name, action)
    repository = authorization.admit(name, action)
    if not repository.exists:
        raise NameUnknown(detail=name)
    return repository


def _check_bearer(name: str, action: Action) -> None:
    """Refuse a bearer token that does not cover the action.

    The response is the same if the repository does not exist, so that the token does
    not reveal what its user could do with a password.
    """
    caller = principal()
    if caller.claims is None:
        return
    if action == "manage" and not caller.is_anonymous:
        raise _needs_basic()
    if not caller.token_covers(action, name):
        raise authorization.challenge(name, action)


def _check_visible(name: str, action: Action) -> None:
    """Hide a repository that the caller may neither see nor change."""
    repository = services().catalog.repositories.find(name)
    visible = authorization.may("pull", repository) or authorization.may(
        action, repository
    )
    if not repository.exists or not visible:
        raise authorization.refusal(name, "pull")


def actor(repository: RepositoryInfo) -> Actor:
    """Return the caller as the actor of a change to a repository's content."""
    manages = authorization.manage_check(repository.name)
    return services().content.actor(principal().caller, manages)


def signed_in_user(action: Action = "pull") -> t.Any:
    """Return the user who calls an operation on all of their own repositories.

    :param action: an access token must allow this action on every repository.
    :raises Unauthorized: 401, if the caller is anonymous.
    :raises Denied: 403, if the caller's token is more limited.
    """
    caller = principal()
    if caller.robot is not None:
        raise Denied("A robot cannot do this; use the account of a user.")
    if caller.user is None:
        raise services().challenges.new()
    limit = caller.limit
    if caller.claims is not None:
        raise _needs_basic()
    if limit and not (action in limit.actions and "*" in limit.repositories):
        raise Denied(
            f"This needs a password, or an access token for '{action}' on every"
            " repository."
        )
    return caller.user


def require_admin() -> None:
    """Refuse every caller who is not an administrator.

    :raises Unauthorized: 401, if the caller is anonymous.
    :raises Denied: 403, if the caller is not an administrator.
    """
    if not is_admin():
        raise Denied("Administrator access required.")


def is_admin() -> bool:
    """Return True if the caller is an administrator.

    :raises Unauthorized: 401, if the caller is anonymous.
    :raises Denied: 403, if the caller's token cannot manage every repository.
    """
    user, hook = signed_in_user("manage"), services().hooks.is_admin
    return hook is not None and hook(user)


def _needs_basic() -> Denied:
    return Denied(
        "A bearer token allows only pulling and pushing; send the password or an access"
        " token with Basic authentication."
    )
