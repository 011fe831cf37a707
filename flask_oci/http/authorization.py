"""Authorization: access to a repository, and the errors 401, 403 and 404.

The error for a caller without permission does not depend on whether the repository
exists, unless the caller may know that it does.
"""

from __future__ import annotations

import typing as t

from flask import request

from ..catalog import RepositoryInfo
from ..errors import Denied
from ..errors import NameUnknown
from ..errors import UserDeleted
from ..services import principal
from ..services import services
from ..spec.reference import is_name
from ..spec.scope import repository_scope
from .warnings import warn

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable

    from ..auth.principal import MirrorAccess
    from ..errors import RegistryError
    from ..spec.scope import Action

#: The message for a client of a mirror.
MIRRORED: t.Final = (
    "This mirror does not have the image for you. Pull it from the registry itself,"
    " after 'docker login'."
)

#: The message for a caller whose own access token excludes a repository.
EXCLUDED: t.Final = "No repository of this name is visible to this access token."


def admit(name: str, action: Action) -> RepositoryInfo:
    """Return the repository if the caller may perform ``action`` on it.

    For a pull, a former name of the repository works too, with a warning.

    :raises Unauthorized: 401, if other credentials would help: the request has none, or
        its bearer token does not cover the action.
    :raises Denied: 403, if the caller may not change the repository.
    :raises NameUnknown: 404, if the caller may not know of the repository.
    """
    repository, decision = _decide(name, action)
    # The host's reason is for a known user. Clients log in only after a challenge.
    if isinstance(decision, Denied) and not principal().is_anonymous:
        raise decision
    if decision is not True:
        raise refusal(name, action)
    if not principal().token_covers(action, name):
        raise challenge(name, action)
    if repository.name != name:
        warn(f"{name} is now called {repository.name}; use that name.")
    return repository


def allowed_actions(name: str, actions: Iterable[Action]) -> tuple[Action, ...]:
    """Return the actions that the caller may perform on the repository of a name.

    One search is enough for all of them.
    """
    found = services().catalog.repositories.find(name, by_old_name=True)
    return tuple(a for a in actions if _decide_on(found, name, a)[1] is True)


def _decide(name: str, action: Action) -> tuple[RepositoryInfo, bool | Denied]:
    """Find the repository of a name, and ask the policy about it."""
    found = services().catalog.repositories.find(name, by_old_name=action == "pull")
    return _decide_on(found, name, action)


def _decide_on(
    found: RepositoryInfo, name: str, action: Action
) -> tuple[RepositoryInfo, bool | Denied]:
    """Return the repository that a name stands for, and the policy's decision on it.

    A pull finds a repository by a former name; a push to a former name creates a new
    repository. To a caller who may not pull the renamed repository, the former name
    looks like a name that was never used.

    The decision is the host's reason if its function raised :exc:`Denied`.

    :param found: the repository that was found by the name.
    """
    absent = RepositoryInfo(name)
    if action != "pull":
        repository = found if found.name == name else absent
        return repository, _ask(action, repository)
    decision = _ask(action, found)
    if decision is True and found.exists:
        return found, decision
    # A hidden repository, its former name and an unused name need the same work: each
    # asks the policy twice, which may execute statements of its own.
    decision_if_absent = _ask(action, absent)
    if found.name != name and decision is not True:
        return absent, decision_if_absent
    return found, decision


def _ask(action: Action, repository: RepositoryInfo) -> bool | Denied:
    try:
        return _may(action, repository)
    except Denied as reason:
        return reason


def may(action: Action, repository: RepositoryInfo) -> bool:
    """Return True if the caller may perform ``action`` with the credential of the
    login.

    The policy and the credential's limit decide. The access list of the bearer token is
    ignored, because it only names what the token was requested for.
    """
    # The host's reason is dropped, because this is one question of several.
    return _ask(action, repository) is True


def manage_check(name: str) -> Callable[[], bool]:
    """Return a function that returns True if the caller may change protected tags.

    A token for "manage" is not required: the user must be allowed to manage the
    repository, and the token to delete.
    """

    def check() -> bool:
        caller = principal()
        if caller.robot is not None:
            # The change itself is allowed by the robot's limit.
            return caller.robot.changes_protected_tags
        try:
            return caller.credential_allows(
                "delete", name
            ) and services().policy.is_allowed(
                caller.user, "manage", services().catalog.repositories.find(name)
            )
        except Denied:
            return False

    return check


def push_check(name: str) -> Callable[[RepositoryInfo], None]:
    """Return a function that raises an error if the caller may not push to a
    repository.

    It asks again for a request that was admitted before its body arrived, and whose
    token may have ended together with a job of the host meanwhile. The error
    names the repository as the request does, because a new name may be hidden from the
    caller.

    :param name: the name of the repository in the request.
    """

    def check(repository: RepositoryInfo) -> None:
        credential = principal().credential
        # The change itself proves that the token is stored.
        if credential and not services().access_tokens.is_accepted(credential):
            raise UserDeleted
        if not may("push", repository):
            raise refusal(name, "push")

    return check


def _may(action: Action, repository: RepositoryInfo) -> bool:
    caller = principal()
    if caller.mirror is not None:
        return _mirror_may(caller.mirror, action, repository)
    if not caller.credential_allows(action, repository.name):
        return False
    return services().policy.is_allowed(caller.caller, action, repository)


def _mirror_may(
    mirror: MirrorAccess, action: Action, repository: RepositoryInfo
) -> bool:
    """Return True if a client of a mirror may act on a repository.

    A repository of a user can have the same namespace, if it is older than the upstream
    or its setting.
    """
    upstream = services().policy.with_upstream(repository).upstream
    if action != "pull" or upstream != mirror.namespace:
        return False
    if mirror.is_trusted:
        return True
    return services().policy.is_allowed(None, action, repository)


def refusal(name: str, action: Action) -> RegistryError:
    """Return the error for a caller who may not perform ``action``."""
    if principal().mirror is not None:
        # Docker would answer a challenge with a password for another registry.
        return NameUnknown(MIRRORED, detail=name)
    if principal().is_anonymous:
        return challenge(name, action)
    if principal().robot is not None:
        return _refusal_of_robot(name, action)
    # An error that names the credential does not show whether the repository exists.
    by_credential = not principal().credential_allows(action, name)
    if action == "pull":
        return NameUnknown(EXCLUDED if by_credential else None, detail=name)
    if action == "push" and "/" not in name and not _is_visible(name):
        return Denied(_namespace_needed(name), detail=name)
    username = services().catalog.users.name_of(principal().user)
    remedy = (
        " with this access token; create one with this permission."
        if by_credential
        else f" as {username}; ask the owner of {name}."
    )
    return Denied(f"You may not {action} here{remedy}", detail=name)


def _refusal_of_robot(name: str, action: Action) -> RegistryError:
    """Return the error for a robot, which does not show whether a repository exists."""
    login = services().catalog.users.name_of(principal().robot)
    if action == "pull":
        message = f"No repository of this name is visible to the robot {login}."
        return NameUnknown(message, detail=name)
    return Denied(
        f"The robot {login} may not {action} here; ask the manager of its namespace.",
        detail=name,
    )


def _is_visible(name: str) -> bool:
    repository, decision = _decide(name, "pull")
    return decision is True and repository.exists


def _namespace_needed(name: str) -> str:
    """Return the message for a push to a name without a namespace, such as
    ``busybox``, which is a common mistake in a first push."""
    users, user = services().catalog.users, principal().user
    suggestion = f"{users.namespace_of(user)}/{name}"
    if not (is_name(suggestion) and may("push", RepositoryInfo(suggestion))):
        suggestion = f"NAMESPACE/{name}"
    return (
        f"You may not push to {name} as {users.name_of(user)}. Put a namespace that you"
        f" may push to first: {suggestion}."
    )


def challenge(name: str, action: Action) -> RegistryError:
    """Return the 401 that asks for a token that covers ``action``."""
    if action == "manage":
        # No bearer token covers "manage", so the challenge has no scope.
        return services().challenges.new()
    # A client that pushes also reads what is there, and a HEAD for a blob usually
    # precedes a push. Some clients fetch one token for both.
    is_push = action == "push" or (
        request.method == "HEAD" and "/blobs/" in request.path
    )
    wanted: tuple[Action, ...] = ("pull", "push") if is_push else (action,)
    return services().challenges.new(
        [repository_scope(name, *wanted)],
        "insufficient_scope" if principal().claims else None,
    )
