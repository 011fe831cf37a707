"""Who asks, and what they may do with the credentials that they sent."""

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


def admit(name: str, action: Action = "pull") -> RepositoryInfo:
    """Return a repository that is there to a caller who may do ``action`` to it.

    To look, the name that it had before will do, with a warning; to change it takes
    the present one. What they may neither see nor change is not there for them.

    :raises Unauthorized: 401, when other credentials would do.
    :raises Denied: 403, when the caller may see it, and not do that.
    :raises NameUnknown: 404, when the caller may not know of it.
    """
    if action != "pull":
        _check_bearer(name, action)
        _find(name, action)
    repository = authorization.admit(name, action)
    if not repository.exists:
        raise NameUnknown(detail=name)
    return repository


def _check_bearer(name: str, action: Action) -> None:
    """Refuse a bearer token for something else, whether the repository is there or not.

    What its user could do with a password, it must not tell.
    """
    asking = principal()
    if asking.claims is None:
        return
    if action == "manage" and asking.user is not None:
        raise _needs_more()
    if not asking.token_covers(action, name):
        raise authorization.challenge(name, action)


def _find(name: str, action: Action) -> None:
    """Hide what the caller may neither see nor change."""
    repository = services().catalog.repositories.find(name)
    seen = authorization.may("pull", repository) or authorization.may(
        action, repository
    )
    if not repository.exists or not seen:
        raise authorization.refusal(name, "pull")


def actor(repository: RepositoryInfo) -> Actor:
    """Return the caller, as who changes what is in a repository."""
    manages = authorization.manage_check(repository.name)
    return services().content.actor(principal().user, manages)


def member(action: Action = "pull") -> t.Any:
    """Return the user who asks about everything that is theirs.

    :param action: what a token has to be for, on every repository.
    :raises Unauthorized: 401, when nobody is known to ask.
    :raises Denied: 403, when they sent a token that is limited to less.
    """
    asking = principal()
    if asking.user is None:
        raise services().authenticator.challenge()
    limit = asking.limit
    if asking.claims is not None:
        raise _needs_more()
    if limit and not (action in limit.actions and "*" in limit.repositories):
        raise Denied(
            f"This takes a password, or an access token for '{action}' on every"
            " repository."
        )
    return asking.user


def administrator() -> None:
    """Admit nobody but who runs the site.

    :raises Denied: 403, for everybody else.
    """
    user, ask = member("manage"), services().hooks.is_admin
    if ask is None or not ask(user):
        raise Denied("Only who runs this site may see that.")


def _needs_more() -> Denied:
    return Denied(
        "A bearer token is for pulling and pushing; send the password, or an access"
        " token, with Basic."
    )
