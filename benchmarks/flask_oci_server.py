"""flask_oci inside an application, whose user logs in with an access token."""

from __future__ import annotations

import abc
import base64
import json
import os
import sys
import typing as t
from importlib.metadata import version
from urllib.parse import quote

from . import filling
from .client import Connection
from .processes import Process
from .processes import Processes
from .server import ROOT
from .server import Server

if t.TYPE_CHECKING:
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy

    from flask_oci import Registry

#: The owner of the measured repositories, whose names begin with it.
USERNAME: t.Final = "bench"


class FlaskOciServer(Server):
    """The registry inside an application."""

    registry: Registry
    db: SQLAlchemy
    programs: t.ClassVar[tuple[str, ...]] = ("gunicorn",)
    """The packages of the servers that run it."""

    @abc.abstractmethod
    def create_app(self) -> Flask:
        """Create the application in this process, with its tables."""

    @abc.abstractmethod
    def create_user(self) -> object:
        """Create the owner of the repositories, and return the user."""

    @abc.abstractmethod
    def run(self) -> list[Process]:
        """Start its programs, and return them when they answer."""

    @property
    @abc.abstractmethod
    def environment(self) -> dict[str, str]:
        """The settings of the application."""

    def prepare(self) -> None:
        """Add content at the start, within the context of the application."""

    def start(self) -> None:
        """Create its tables and its user, and start it."""
        os.environ.update(self.environment)
        self._app = self.create_app()
        with self._app.app_context():
            secret = self.registry.access_tokens.issue(self.create_user()).secret
            self.prepare()
            self.db.engine.dispose()
        login = base64.b64encode(f"{USERNAME}:{secret}".encode())
        self._login = f"Basic {login.decode()}"
        self.processes = Processes(*self.run())

    def launch(self, *command: str) -> Process:
        """Start a program, which the stack stops."""
        process = Process(
            list(command),
            self.folder / "log",
            environ={"PYTHONPATH": str(ROOT), **self.environment},
        )
        self._stack.callback(process.end)
        return process

    def gunicorn(self, application: str) -> Process:
        """Start gunicorn as the documentation and the example do."""
        process = self.launch(
            *(sys.executable, "-m", "gunicorn"),
            *("--config", str(ROOT / "example_app/gunicorn.conf.py")),
            *("--bind", f"127.0.0.1:{self.port}", application),
        )
        process.wait_for_port(self.port)
        return process

    def authorization(self, repository: str = "*") -> str | None:
        """Return a bearer token, obtained as every client does."""
        path, login = self.token_request(repository)
        with Connection(self.port, login) as connection:
            answer = connection.request("GET", path).expect(200)
        return f"Bearer {json.loads(answer.body)['token']}"

    def token_request(self, repository: str = "*") -> tuple[str, str]:
        """Return its token endpoint, and an access token for the login."""
        scope = (
            "registry:catalog:*"
            if repository == "*"
            else f"repository:{repository}:pull,push"
        )
        return f"/v2/token?service=benchmark&scope={quote(scope)}", self._login

    def version(self) -> str:
        """Return the versions of the software that handles a request."""
        parts = ("flask-oci", "Flask", "SQLAlchemy", *self.programs)
        python = ".".join(map(str, sys.version_info[:3]))
        return ", ".join([*(f"{p} {version(p)}" for p in parts), f"Python {python}"])

    def fill_tags(self, repository: str, count: int) -> None:
        """Insert the rows."""
        with self._app.app_context():
            filling.tags(self.registry.models, self.db.session, repository, count)

    def fill_catalog(self, count: int, readable: int) -> None:
        """Insert the rows."""
        with self._app.app_context():
            filling.catalog(self.registry.models, self.db.session, count, readable)
