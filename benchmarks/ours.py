"""flask_oci on gunicorn, with the settings that the documentation recommends."""

from __future__ import annotations

import base64
import json
import os
import sys
import typing as t
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from . import filling
from . import host
from .client import Connection
from .processes import Process
from .server import Server

ROOT: t.Final = Path(__file__).resolve().parent.parent


class FlaskOci(Server):
    """The registry inside a small Flask application.

    :param database: its URL; None is a SQLite file in the folder.
    :param stored: the number of images at the start.
    """

    def __init__(
        self, folder: Path, database: str | None = None, stored: int = 0
    ) -> None:
        super().__init__(folder)
        self._stored = stored
        self._database = database or f"sqlite:///{folder}/forge.sqlite"
        kind = "PostgreSQL" if database else "SQLite"
        self.name = f"flask_oci, {kind}"
        if stored:
            self.name = f"{stored} images stored"

    def start(self) -> None:
        """Create its tables and its user, and start it."""
        os.environ.update(self._environment)
        self._app = host.create_app()
        with self._app.app_context():
            host.db.create_all()
            user = host.User(username=host.USERNAME)
            host.db.session.add(user)
            host.db.session.commit()
            filling.images(host.registry.models, host.db.session, self._stored)
            secret = host.registry.access_tokens.issue(user).secret
            host.db.engine.dispose()
        login = base64.b64encode(f"{host.USERNAME}:{secret}".encode())
        self._login = f"Basic {login.decode()}"
        self.process = Process(
            [
                *(sys.executable, "-m", "gunicorn"),
                *("--config", str(ROOT / "example_app/gunicorn.conf.py")),
                *("--bind", f"127.0.0.1:{self.port}"),
                "benchmarks.host:create_app()",
            ],
            self.folder / "log",
            environ={"PYTHONPATH": str(ROOT), **self._environment},
        )
        self._stack.callback(self.process.end)
        self.process.wait_for_port(self.port)

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
        parts = ("flask-oci", "Flask", "SQLAlchemy", "gunicorn")
        python = ".".join(map(str, sys.version_info[:3]))
        return ", ".join([*(f"{p} {version(p)}" for p in parts), f"Python {python}"])

    def fill_tags(self, repository: str, count: int) -> None:
        """Insert the rows."""
        with self._app.app_context():
            filling.tags(host.registry.models, host.db.session, repository, count)

    def fill_catalog(self, count: int, readable: int) -> None:
        """Insert the rows."""
        with self._app.app_context():
            filling.catalog(host.registry.models, host.db.session, count, readable)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "BENCHMARK_FOLDER": str(self.folder),
            "BENCHMARK_DATABASE": self._database,
        }
