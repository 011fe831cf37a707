"""Admission to a repository, and the three ways to say no.

Who is not allowed gets an answer that does not depend on whether the repository
exists, unless they may know that it does.
"""

from __future__ import annotations

import typing as t

from flask import request

from ..catalog import RepositoryInfo
from ..errors import Denied
from ..errors import NameUnknown
from ..services import principal
from ..services import services
from ..spec.scope import repository_scope
from .warnings import warn

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import RegistryError
    from ..spec.scope import Action

#: What somebody is told whose own access token hides a repository from them.
UNREACHED: t.Final = "There is no repository of that name that this access token sees."


def admit(name: str, action: Action) -> RepositoryInfo:
    """Return the repository if the caller may do ``action`` to it.

    To pull, the name that a repository had before will do, with a warning.

    :raises Unauthorized: 401, when other credentials would do: none were sent,
        or a token that was not made for this.
    :raises Denied: 403, when the caller may not change it.
    :raises NameUnknown: 404, when the caller may not know of it.
    """
    repository = find(name, action)
    try:
        allowed = _may(action, repository)
    except Denied:
        # The host's reason is for somebody. Clients only log in after a challenge.
        if principal().user is not None:
            raise
        allowed = False
    if not allowed:
        raise refusal(name, action)
    if not principal().token_covers(action, name):
        raise challenge(name, action)
    if repository.name != name:
        warn(f"{name} is now called {repository.name}; use that name.")
    return repository


def find(name: str, action: Action) -> RepositoryInfo:
    """Return the repository that a name stands for when ``action`` is done to it.

    An old name can be pulled from; to push to it is to take it. For who may not pull
    what it leads to, it leads nowhere: they are told what they would be if nothing
    had ever been there.
    """
    repository = services().catalog.repositories.find(
        name, by_old_name=action == "pull"
    )
    if repository.name != name and not may(action, repository):
        return RepositoryInfo(name)
    return repository


def may(action: Action, repository: RepositoryInfo) -> bool:
    """Tell whether the caller, with the credential they have, may do ``action``.

    The policy is asked, and the credential's own limit; not the bearer token's
    access list, which only says what it was fetched for.
    """
    try:
        return _may(action, repository)
    except Denied:
        # A host may give a reason, but this is one question of several.
        return False


def manages(name: str) -> Callable[[], bool]:
    """Return what tells whether the caller may change protected tags.

    A token need not be made for managing: one that may delete may do to them what
    its user may.
    """

    def ask() -> bool:
        try:
            return principal().credential_allows(
                "delete", name
            ) and services().policy.is_allowed(
                principal().user, "manage", services().catalog.repositories.find(name)
            )
        except Denied:
            return False

    return ask


def _may(action: Action, repository: RepositoryInfo) -> bool:
    caller = principal()
    if not caller.credential_allows(action, repository.name):
        return False
    return services().policy.is_allowed(caller.user, action, repository)


def refusal(name: str, action: Action) -> RegistryError:
    """Return what somebody is told who may not do ``action``."""
    if principal().user is None:
        return challenge(name, action)
    # That a credential is the reason says nothing about what it does not reach.
    by_credential = not principal().credential_allows(action, name)
    if action == "pull":
        return NameUnknown(UNREACHED if by_credential else None, detail=name)
    username = services().catalog.users.name_of(principal().user)
    remedy = (
        " with this access token; make one that may."
        if by_credential
        else f" as {username}; ask the owner of {name}."
    )
    return Denied(f"You may not {action} here{remedy}", detail=name)


def challenge(name: str, action: Action) -> RegistryError:
    """Return the 401 that asks for a token with which one may do ``action``."""
    if action == "manage":
        # No token is for that, so none is asked for.
        return services().authenticator.challenge()
    # A client that pushes also looks at what is there already; and whoever asks
    # whether a blob is there is about to push. Some fetch one token for both.
    pushes = action == "push" or (
        request.method == "HEAD" and "/blobs/" in request.path
    )
    wanted: tuple[Action, ...] = ("pull", "push") if pushes else (action,)
    return services().authenticator.challenge(
        [repository_scope(name, *wanted)],
        "insufficient_scope" if principal().claims else None,
    )
