"""Admission to a repository, and the three ways to say no.

Who is not allowed gets an answer that does not depend on whether the repository
exists, unless they may know that it does.
"""

from __future__ import annotations

import typing as t

from ..errors import Denied
from ..errors import NameUnknown
from ..scopes import repository_scope
from ..services import principal
from ..services import services

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..errors import RegistryError
    from ..scopes import Action


def admit(name: str, action: Action) -> RepositoryInfo:
    """Return the repository if the caller may do ``action`` to it.

    :raises Unauthorized: 401, when other credentials would do: none were sent,
        or a token that was not made for this.
    :raises Denied: 403, when the caller may not change it.
    :raises NameUnknown: 404, when the caller may not know of it.
    """
    parts, asking = services(), principal()
    repository = parts.catalog.repositories.find(name)
    if not parts.policy.may(asking.user, action, repository):
        raise refusal(name, action)
    if not asking.reaches(action, name):
        raise _challenge(name, action)
    return repository


def refusal(name: str, action: Action) -> RegistryError:
    """Make the error for a caller who may not do ``action`` to a repository."""
    if principal().user is None:
        return _challenge(name, action)
    if action == "pull":
        return NameUnknown(detail=name)
    return Denied(f"You may not {action} here; ask the owner of {name}.", detail=name)


def _challenge(name: str, action: Action) -> RegistryError:
    # A client that pushes also looks at what is there already.
    wanted = ("pull", "push") if action == "push" else (action,)
    return services().authenticator.challenge(
        [repository_scope(name, *t.cast("tuple[Action, ...]", wanted))],
        "insufficient_scope" if principal().claims else None,
    )
