"""The login manager of hosts that use Flask-Login. No other module uses it."""

from __future__ import annotations

import typing as t

from flask import current_app
from flask import g
from flask import request

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue


def current_user() -> t.Any:
    """Return the user who is signed in, or None."""
    manager = _manager()
    if manager is None:
        return None
    if not hasattr(g, "_login_user"):
        manager._load_user()
    user = g._login_user
    return user if getattr(user, "is_authenticated", False) else None


def sign_in(user: t.Any) -> None:
    """Set ``current_user`` for this request. No session is written.

    It is also called for anonymous clients, because a session cookie would otherwise
    set ``current_user``.

    :param user: one of the host's users, or None for an anonymous client.
    """
    manager = _manager()
    if manager is not None:
        manager._update_request_context_with_user(user)


def user_loader() -> Callable[[str], t.Any] | None:
    """Return the function that loads a user by the identifier in a session, or None."""
    found: Callable[[str], t.Any] | None = getattr(_manager(), "_user_callback", None)
    return found


def login_view() -> str | None:
    """Return the endpoint, the path or the URL of the login page, or None."""
    manager = _manager()
    views = getattr(manager, "blueprint_login_views", None) or {}
    if request.blueprint in views:
        return views[request.blueprint] or None
    return getattr(manager, "login_view", None) or None


def unauthorized() -> ResponseReturnValue | None:
    """Return the response for a visitor who has to sign in, or None if the application
    does not use Flask-Login.

    :raises werkzeug.routing.BuildError: if the login view is unknown.
    :raises werkzeug.exceptions.Unauthorized: if there is neither a login view nor an
        ``unauthorized_handler``.
    """
    manager = _manager()
    return manager.unauthorized() if hasattr(manager, "unauthorized") else None


def _manager() -> t.Any:
    return getattr(current_app, "login_manager", None)
