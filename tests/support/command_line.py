"""A terminal of the example forge, and a client to read back the effects."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

import example_app
from example_app.models import db
from flask_oci.testing.requests import basic
from tests.support.forge import environment
from tests.support.paths import ROOT
from tests.support.registry_client import RegistryClient


class Terminal:
    """A terminal on the machine of an example forge with its own folder.

    :param folder: for the database and the blobs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with pytest.MonkeyPatch.context() as patch:
            for name in ("DATABASE_URL", "SECRET_KEY"):
                patch.delenv(name, raising=False)
            patch.setenv("EXAMPLE_INSTANCE", str(folder))
            self.app = example_app.create_app({"TESTING": True})
        self.alice = self.client("alice", "wonderland")

    def run(
        self, *arguments: str, status: int = 0, typed: bytes = b"", **settings: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run ``flask oci ...`` in a separate process.

        :param status: the expected exit status.
        :param typed: its standard input.
        :param settings: additions to its environment.
        """
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "example_app", "oci", *arguments],
            cwd=ROOT,
            env=environment(self.folder, settings),
            input=typed,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert b"Traceback" not in done.stderr, done.stderr
        return done

    def say(self, *arguments: str, status: int = 0) -> str:
        """Run a command in this process, and return its output."""
        result = self.app.test_cli_runner().invoke(args=["oci", *arguments])
        assert result.exit_code == status, result.output
        return result.stdout

    def json(self, *arguments: str, **kwargs: t.Any) -> t.Any:
        """Run a command with ``--json``, and return the document that it prints."""
        return json.loads(self.run(*arguments, "--json", **kwargs).stdout)

    def close(self) -> None:
        """Close the connections to the database."""
        with self.app.app_context():
            db.engine.dispose()

    def client(self, username: str, password: str) -> RegistryClient:
        """Return a client with a token for all that the user may do at this time."""
        # Hashing a password is slow on purpose; checking a token is not.
        client = RegistryClient(self.app, basic(username, password))
        names = ("app", "tools/app", "new", "copy")
        scope = [f"repository:alice/{name}:pull,push,delete" for name in names]
        query = {"service": "example_app", "scope": scope}
        token = client.get("/v2/token", query=query).get_json()["token"]
        return RegistryClient(self.app, f"Bearer {token}")
