"""flask_oci with its default policy, in a small application on gunicorn."""

from __future__ import annotations

import typing as t
from pathlib import Path

from . import filling
from . import host
from .flask_oci_server import FlaskOciServer
from .flask_oci_server import USERNAME

if t.TYPE_CHECKING:
    from flask import Flask

    from .processes import Process


class FlaskOci(FlaskOciServer):
    """The registry inside the application of ``host.py``.

    :param database: its URL; None is a SQLite file in the folder.
    :param stored: the number of images at the start.
    """

    registry = host.registry
    db = host.db

    def __init__(
        self, folder: Path, database: str | None = None, stored: int = 0
    ) -> None:
        super().__init__(folder)
        self._stored = stored
        self.database = database or f"sqlite:///{folder}/forge.sqlite"
        kind = "PostgreSQL" if database else "SQLite"
        self.name = f"flask_oci, {kind}"
        if stored:
            self.name = f"{stored} images stored"

    def create_app(self) -> Flask:
        """Create the application in this process, with its tables."""
        app = host.create_app()
        with app.app_context():
            host.db.create_all()
        return app

    def create_user(self) -> object:
        """Create the owner of the repositories, and return the user."""
        user = host.User(username=USERNAME)
        host.db.session.add(user)
        host.db.session.commit()
        return user

    def prepare(self) -> None:
        """Store the images."""
        filling.images(self.registry.models, self.db.session, self._stored)

    def run(self) -> list[Process]:
        """Start gunicorn."""
        return [self.gunicorn("benchmarks.host:create_app()")]

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the application."""
        return {
            "BENCHMARK_FOLDER": str(self.folder),
            "BENCHMARK_DATABASE": self.database,
        }
