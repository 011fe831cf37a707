"""Published applications, to which the documented lines add a registry.

Their code is not in this repository. Each released package is installed into its own
environment, which is kept for the next run. The lines that a reader of the quickstart
would write are in ``applications``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.forge import end
from tests.support.forge import free_port
from tests.support.forge import START_TIMEOUT
from tests.support.forge import STOP_TIMEOUT
from tests.support.forge import TOOLS
from tests.support.forge import unavailable
from tests.support.forge import wait_until
from tests.support.paths import ROOT

from .real_client import tell_real_story

pytestmark = pytest.mark.real

HERE = Path(__file__).parent

#: The time limit of an installation, in seconds.
INSTALL_TIMEOUT = 600


class Application(t.NamedTuple):
    title: str
    file: str
    package: str
    version: str
    python: tuple[int, int]
    """The oldest Python version that it supports."""

    username: str = "alice"


APPLICATIONS = (
    Application("I Hate Money", "budget", "ihatemoney", "7.2.1", (3, 11)),
    Application("spkrepo", "packages", "spkrepo", "0.2.8", (3, 10)),
    Application(
        "An Otter Wiki", "wiki", "otterwiki", "2.26.1", (3, 11), "alice@example.org"
    ),
)


@pytest.mark.parametrize("application", APPLICATIONS, ids=lambda a: a.package)
def test_published_application_with_registry_works(
    application: Application, tmp_path: Path
) -> None:
    """Its users log in, push and pull with a real client, and its own pages are
    unchanged."""
    python = installed(application)
    with running(python, application, tmp_path) as port:
        skopeo = tmp_path / "skopeo"
        skopeo.mkdir()
        tell_real_story(port, skopeo, application.username)
        assert status(port, "/") < 400
        assert status(port, "/images/") < 400
        assert status(port, "/v2/") == 401


def installed(application: Application) -> Path:
    """Return the interpreter of an environment with the application."""
    if sys.version_info < application.python:
        unavailable(f"{application.package} wants Python {application.python}")
    folder = TOOLS.parent / "applications"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    environment = folder / f"{application.package}-{application.version}-py{python}"
    interpreter = environment / "bin" / "python"
    complete = environment / "complete"
    if not complete.exists():
        shutil.rmtree(environment, ignore_errors=True)
        _run(sys.executable, "-m", "venv", environment)
        wanted = f"{application.package}=={application.version}"
        pip = (interpreter, "-m", "pip", "install", "--quiet", "--retries=10")
        # The cache prevents repeated downloads.
        _run(*pip, wanted, attempts=2)
        complete.touch()
    return interpreter


def _run(*command: object, attempts: int = 1) -> None:
    failure = ""
    for _ in range(attempts):
        try:
            subprocess.run(
                list(map(str, command)),
                check=True,
                capture_output=True,
                text=True,
                timeout=INSTALL_TIMEOUT,
            )
        except subprocess.TimeoutExpired as error:
            failure = f"takes too long to install: {error}"
        except subprocess.CalledProcessError as error:
            failure = f"cannot be installed: {error.stderr[-500:]}"
        else:
            return
    unavailable(f"{command[-1]} {failure}")


@contextlib.contextmanager
def running(python: Path, application: Application, folder: Path) -> t.Iterator[int]:
    """Run the application, with two users, and return its port."""
    file = HERE / "applications" / f"{application.file}.py"
    environment = {"FOLDER": str(folder), "PYTHONPATH": str(ROOT)}
    known = {
        k: v for k, v in os.environ.items() if not k.startswith(("FLASK_", "OCI_"))
    }
    options: t.Any = {"cwd": folder, "env": known | environment}
    made = subprocess.run(
        [python, file], capture_output=True, text=True, timeout=START_TIMEOUT, **options
    )
    assert made.returncode == 0, made.stderr
    port = free_port()
    command = [*map(str, (python, "-m", "flask", "--app", file)), "run"]
    with (folder / "log").open("wb") as log:
        server: subprocess.Popen[bytes] = subprocess.Popen(
            [*command, f"--port={port}"], stdout=log, stderr=log, **options
        )
    try:
        wait_until(
            lambda: _answers(server, port), START_TIMEOUT, f"starting {application}"
        )
        yield port
    finally:
        end(server, STOP_TIMEOUT)


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    assert server.poll() is None, "it did not start"
    try:
        return status(port, "/v2/") > 0
    except OSError:
        return False


def status(port: int, path: str) -> int:
    """Return the status of a page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as page:
            return int(page.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
