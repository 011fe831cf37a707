"""The login manager of hosts that use Flask-Login. No other module uses it."""

from __future__ import annotations

import typing as t

from flask import current_app
from flask import g

if t.TYPE_CHECKING:
    from collections.abc import Callable


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
    """Return the endpoint of the login page, or None."""
    return getattr(_manager(), "login_view", None) or None


def _manager() -> t.Any:
    return getattr(current_app, "login_manager", None)
