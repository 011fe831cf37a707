"""Who looks at a page, and what they may see."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import redirect
from flask import request
from flask import url_for

from ..auth.flask_login import login_view
from ..auth.policy import is_active
from ..catalog import RepositoryInfo
from ..core.actor import Actor
from ..errors import Denied
from ..services import services
from ..spec.reference import is_name

if t.TYPE_CHECKING:
    from ..spec.scope import Action


def visitor() -> t.Any:
    """Return the user who makes the request, or None for somebody unknown."""
    return services().authenticator.visitor()


def member() -> t.Any:
    """Return the visitor, who has to have signed in and be active; or send them to
    do so."""
    user = visitor()
    if user is None:
        target = sign_in_url()
        abort(redirect(target) if target else 403)
    if not is_active(user):
        abort(403)
    return user


def is_administrator() -> bool:
    """Tell whether the visitor runs the site."""
    ask, user = services().hooks.is_admin, visitor()
    if ask is None or user is None or not is_active(user):
        return False
    return ask(user)


def administrators_only() -> None:
    """Hide a page from everybody who does not run the site: 404."""
    if not is_administrator():
        abort(404)


def may(action: Action, repository: RepositoryInfo) -> bool:
    """Tell whether the visitor may do ``action``, as the protocol would."""
    try:
        return services().policy.is_allowed(visitor(), action, repository)
    except Denied:
        return False


def actor(repository: RepositoryInfo) -> Actor:
    """Return the visitor, as who changes what is in a repository."""
    return services().content.actor(visitor(), lambda: may("manage", repository))


def admit(name: str, action: Action = "pull") -> RepositoryInfo:
    """Return a repository to a visitor who may do ``action`` to it.

    What they may not see is not there: 404. What they may see and not change is
    403. An old name leads to the new one.
    """
    repository = RepositoryInfo(name)
    if is_name(name):
        repository = services().catalog.repositories.find(name, by_old_name=True)
    if not repository.exists or not may("pull", repository):
        abort(404)
    if repository.name != name:
        values = {**(request.view_args or {}), "name": repository.name}
        query = request.query_string.decode(errors="replace")
        target = url_for(str(request.endpoint), **values) + (query and f"?{query}")
        # A form is sent again as a form. Nobody may remember it: a repository can come
        # to have the name.
        abort(redirect(target, 307))
    if action != "pull" and not may(action, repository):
        abort(403)
    return repository


def sign_in_url() -> str | None:
    """Return where to sign in and come back from, if Flask-Login has been told."""
    view = login_view()
    if view is None:
        return None
    return url_for(view, next=request.full_path.rstrip("?"))
