"""The visitor of a page, and the visitor's permissions."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import redirect
from flask import request
from flask import url_for
from markupsafe import escape
from markupsafe import Markup

from ..catalog import RepositoryInfo
from ..core.actor import Actor
from ..errors import Denied
from ..errors import RegistryError
from ..rules.quota import QuotaExceeded
from ..services import services
from ..spec.reference import is_name
from . import sign_in

if t.TYPE_CHECKING:
    from ..spec.scope import Action


def visitor() -> t.Any:
    """Return the user who makes the request, or None for an anonymous visitor."""
    return services().authenticator.visitor()


def signed_in_user() -> t.Any:
    """Return the visitor if they are signed in and active.

    An anonymous visitor is sent to the login page, or refused with 403 if there is
    none.
    """
    user = visitor()
    if user is None:
        sign_in.refuse_anonymous()
    if not services().accounts.is_active(user):
        abort(403)
    return user


def is_admin() -> bool:
    """Return True if the visitor is an administrator."""
    hook, user = services().hooks.is_admin, visitor()
    if hook is None or user is None or not services().accounts.is_active(user):
        return False
    return hook(user)


def require_admin() -> None:
    """Hide a page from visitors who are not administrators: 404."""
    if not is_admin():
        abort(404)


def manages_path(path: str) -> bool:
    """Return True if the visitor may set the rules of a path, except its quota."""
    user = visitor()
    return (
        user is not None
        and services().accounts.is_active(user)
        and services().policy.manages_path(user, path)
    )


def sees_path(path: str) -> bool:
    """Return True if the visitor may see the rules of a path."""
    return manages_path(path) or is_admin()


def may(action: Action, repository: RepositoryInfo) -> bool:
    """Return True if the policy allows the visitor to do ``action``."""
    try:
        return services().policy.is_allowed(visitor(), action, repository)
    except Denied:
        return False


def reason(error: RegistryError) -> Markup:
    """Return the message of an error for the visitor, escaped. It tells the usage of a
    quota only if the visitor may know it."""
    usage = error.usage if isinstance(error, QuotaExceeded) else None
    if usage is not None and services().policy.may_see_usage(visitor(), usage):
        error = t.cast(QuotaExceeded, error).explained()
    return escape(error.message)


def actor(repository: RepositoryInfo) -> Actor:
    """Return the visitor as the actor of a change to a repository's content."""
    return services().content.actor(visitor(), lambda: may("manage", repository))


def authorize(name: str, action: Action = "pull") -> RepositoryInfo:
    """Return an existing repository if the visitor may do ``action`` to it.

    The response is 404 if the visitor may not see the repository, and 403 if they may
    see it but not do that. A previous name redirects to the current one.
    """
    repository = RepositoryInfo(name)
    if is_name(name):
        repository = services().catalog.repositories.find(name, by_old_name=True)
    # The policy is asked about an absent repository too, because the statements that it
    # executes would tell a hidden repository from an absent one.
    if not may("pull", repository) or not repository.exists:
        abort(404)
    if repository.name != name:
        values = {**(request.view_args or {}), "name": repository.name}
        query = request.query_string.decode(errors="replace")
        target = url_for(str(request.endpoint), **values) + (query and f"?{query}")
        # 307 repeats a form with its fields. The redirect is not permanent, because
        # another repository can get the name.
        abort(redirect(target, 307))
    if action != "pull" and not may(action, repository):
        abort(403)
    return repository
