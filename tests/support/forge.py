"""Starts the example forge on a real server, and finds the programs that use it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.paths import ROOT

#: The folder in which `.ci/install` puts the tools that Debian does not package.
TOOLS = Path(os.environ.get("OCI_TOOLS") or Path.home() / ".cache/flask-oci/tools")

SERVERS = ("werkzeug", "gunicorn", "waitress", "granian")
USERNAME = "alice"
PASSWORD = "wonderland"

START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0
COMMAND_TIMEOUT = 120.0
POLL_INTERVAL = 0.05


def unavailable(reason: str) -> t.NoReturn:
    """Fail the test if `CI=true`, which promises all tools; otherwise skip it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def tool(name: str, source: str, command: str = ".ci/install") -> str:
    """Return the path of a program; if it is missing, skip and name its source.

    :param command: installs it.
    """
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    # Daemons are in folders that an ordinary user's PATH lacks.
    found = found or shutil.which(name, path="/usr/sbin:/sbin")
    return found or unavailable(f"{name} is missing: run {command} ({source})")


def wait_until(ready: t.Callable[[], bool], timeout: float, what: str) -> None:
    """Return as soon as `ready` is true.

    :raises TimeoutError: if it stays false.
    """
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took longer than {timeout:.0f} s")
        time.sleep(POLL_INTERVAL)


class Forge:
    """The example forge in a separate process, with its own instance folder.

    :param application: the module or file that creates it, for a test that extends it.
    :param within: a command that runs the server, such as a limiter.
    :param settings: its environment.
    """

    def __init__(
        self,
        server: str,
        application: str = "example_app",
        *,
        within: t.Sequence[str] = (),
        **settings: str,
    ) -> None:
        self.server = server
        self.within = within
        self.application = application
        self.settings = settings
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(
            prefix="forge-", ignore_cleanup_errors=True
        )
        self.instance = Path(self._folder.name, "instance")
        self.log = Path(self._folder.name, "server.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """The part of an image's name before the repository."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address of the forge's start page."""
        return f"http://{self.host}"

    def start(self) -> None:
        """Start the server, and return when the registry answers."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(*self.within, sys.executable, "-m"),
                    *self._arguments(),
                ],
                cwd=ROOT,
                env=environment(self.instance, self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(self._answers, START_TIMEOUT, f"starting {self.server}")
        except BaseException as error:
            self.stop()
            output = self.log.read_text(errors="replace")[-4000:]
            self._folder.cleanup()
            raise RuntimeError(f"no forge on {self.server}:\n{output}") from error

    def stop(self) -> None:
        """Stop the server and its child processes."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(subprocess.TimeoutExpired):
            end(process, STOP_TIMEOUT)

    def restart(self, **settings: str) -> None:
        """Restart with the same data and other settings."""
        self.stop()
        self.settings |= settings
        self.start()

    def command(self, *arguments: str) -> str:
        """Run a command of the application, and return its output."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the application, which may fail.

        :param settings: additions to its environment, which the server lacks.
        """
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", self.application, *arguments],
            cwd=ROOT,
            env=environment(self.instance, self.settings | settings),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )

    def peak_memory(self) -> int:
        """Return the largest peak memory of a process of the server, in bytes."""
        assert self._process is not None
        return max(map(_peak_resident, _process_tree(self._process.pid)))

    def processes(self) -> list[int]:
        """Return the processes of the server, the parent first."""
        assert self._process is not None
        return _process_tree(self._process.pid)

    def __enter__(self) -> Forge:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def _arguments(self) -> list[str]:
        """Return the name of the server's module, and its arguments."""
        return _command(self.server, self.application, self.port)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise ChildProcessError(f"exit status {self._process.returncode}")
        try:
            urllib.request.urlopen(f"{self.url}/v2/", timeout=START_TIMEOUT).close()
        except urllib.error.HTTPError as error:
            with error:
                return error.code == 401
        except OSError:
            return False
        raise AssertionError("the registry lets strangers in")


def _command(server: str, application: str, port: int) -> list[str]:
    bind = ["--host", "127.0.0.1", "--port", str(port)]
    return {
        "werkzeug": ["flask", "--app", application, "run", *bind],
        "gunicorn": [
            *("gunicorn", "--config", "example_app/gunicorn.conf.py"),
            *("--bind", f"127.0.0.1:{port}", f"{application}:create_app()"),
        ],
        "granian": granian(application, "--port", str(port)),
        # waitress refuses more than 1 GiB by default, and a layer can be larger.
        "waitress": [
            *("waitress", "--host=127.0.0.1", f"--port={port}", "--threads=8"),
            *(
                f"--max-request-body-size={1 << 36}",
                "--call",
                f"{application}:create_app",
            ),
        ],
    }[server]


def granian(application: str, *address: str) -> list[str]:
    """Return granian's module and arguments, as in example_app/servers/on_granian.py.

    :param address: the options for its port or socket.
    """
    return [
        *("granian", "--interface", "wsgi", "--http", "1", "--workers", "2"),
        *("--blocking-threads", "8", "--workers-kill-timeout", "300"),
        *("--respawn-failed-workers", *address),
        *("--factory", f"{application}:create_app"),
    ]


def environment(instance: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return the environment of a process of the example forge."""
    # Settings of the developer's environment must not reach this server.
    foreign = ("OCI_", "FLASK_", "GUNICORN_", "DATABASE_URL", "SECRET_KEY")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    # A test that does the background work says so.
    forge = {"EXAMPLE_INSTANCE": str(instance), "OCI_WORK": "null"}
    return inherited | forge | settings


def end(process: subprocess.Popen[t.Any], timeout: float) -> None:
    """Terminate a process and its children.

    :param timeout: the seconds that it has to end by itself.
    :raises TimeoutExpired: if it had to be killed.
    """
    # The children of a dead parent cannot be listed.
    family = _process_tree(process.pid)
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        for pid in family:
            _kill(pid)
        process.wait()
        raise


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _process_tree(pid: int) -> list[int]:
    tree = [pid]
    for parent in tree:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            tree.extend(map(int, _read(children).split()))
    return tree


def _peak_resident(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    # A process may end between the listing and the reading.
    try:
        return path.read_text()
    except OSError:
        return ""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
