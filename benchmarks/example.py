"""flask_oci in the example forge, whose own policy decides about each request."""

from __future__ import annotations

import contextlib
import io
import typing as t
from pathlib import Path

import example_app
from example_app.models import db
from example_app.models import User
from example_app.registry import registry

from .flask_oci_server import FlaskOciServer
from .flask_oci_server import USERNAME

if t.TYPE_CHECKING:
    from flask import Flask

    from .processes import Process


class Example(FlaskOciServer):
    """The example forge on gunicorn, in its shipped configuration."""

    name = "flask_oci, example"
    registry = registry
    db = db

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.instance = folder / "instance"
        self.database = f"sqlite:///{self.instance}/forge.db"

    def create_app(self) -> Flask:
        """Create the application in this process, with its tables."""
        # Its first start prints a hint.
        with contextlib.redirect_stdout(io.StringIO()):
            return example_app.create_app()

    def create_user(self) -> object:
        """Create the owner of the repositories, and return the user."""
        # The benchmarks log in with access tokens only.
        user = User(username=USERNAME, password_hash="")
        db.session.add(user)
        db.session.commit()
        return user

    def run(self) -> list[Process]:
        """Start gunicorn."""
        return [self.gunicorn("example_app:create_app()")]

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the application."""
        return {
            "EXAMPLE_INSTANCE": str(self.instance),
            "DATABASE_URL": self.database,
            "OCI_WORK": "null",
        }
