"""The example forge with a user who signs in with a second factor."""

from __future__ import annotations

from flask import Flask

import example_app
from example_app.models import User
from example_app.registry import check_password
from example_app.registry import registry
from flask_oci import LoginRefused

WHO = "bob"
REASON = "bob has a second factor: make an access token, and use that."


def create_app() -> Flask:
    """Create the forge with another password function."""
    registry.authenticate(check)
    return example_app.create_app()


def check(username: str, secret: str) -> User | None:
    """Return the user with this password, if a password is sufficient."""
    user = check_password(username, secret)
    if user and user.username == WHO:
        raise LoginRefused(REASON)
    return user
