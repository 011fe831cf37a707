"""The login manager of a host that has Flask-Login: the only module that knows it."""

from __future__ import annotations

import typing as t

from flask import current_app
from flask import g

if t.TYPE_CHECKING:
    from collections.abc import Callable


def current_user() -> t.Any:
    """Return who is signed in, by session or otherwise, or None."""
    manager = _manager()
    if manager is None:
        return None
    if not hasattr(g, "_login_user"):
        manager._load_user()
    user = g._login_user
    return user if getattr(user, "is_authenticated", False) else None


def sign_in(user: t.Any) -> None:
    """Make ``current_user`` this one, for this request.

    Nobody is remembered: no session is written. Called for nobody as well, since
    otherwise a cookie would say who they are.

    :param user: None is nobody.
    """
    manager = _manager()
    if manager is not None:
        manager._update_request_context_with_user(user)


def user_loader() -> Callable[[str], t.Any] | None:
    """Return what finds a user by the text that a session has for them, or None."""
    found: Callable[[str], t.Any] | None = getattr(_manager(), "_user_callback", None)
    return found


def login_view() -> str | None:
    """Return the endpoint of the page to sign in at, or None."""
    return getattr(_manager(), "login_view", None) or None


def _manager() -> t.Any:
    return getattr(current_app, "login_manager", None)
