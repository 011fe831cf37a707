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

#: Where `.ci/install` puts the tools that Debian does not package.
TOOLS = Path(os.environ.get("OCI_TOOLS") or Path.home() / ".cache/flask-oci/tools")

SERVERS = ("werkzeug", "gunicorn", "waitress")
USERNAME = "alice"
PASSWORD = "wonderland"

START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0
COMMAND_TIMEOUT = 120.0
POLL_INTERVAL = 0.05


def unavailable(reason: str) -> t.NoReturn:
    """Skip the test on a person's machine, and fail it where CI promised the part."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def tool(name: str, source: str) -> str:
    """Return the path of a program, or say what to install to have it."""
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    # Daemons live where an ordinary user's PATH does not lead.
    found = found or shutil.which(name, path="/usr/sbin:/sbin")
    return found or unavailable(f"{name} is missing: run .ci/install ({source})")


def wait_until(ready: t.Callable[[], bool], timeout: float, what: str) -> None:
    """Return as soon as `ready` is true, and raise when it never becomes so."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took longer than {timeout:.0f} s")
        time.sleep(POLL_INTERVAL)


class Forge:
    """The example forge in a process and an instance folder of its own.

    :param application: the module, or the file, that makes it where a test adds
        something to it.
    :param within: a command that runs the server, if it is not to run freely.
    :param settings: what its environment has.
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
        """What stands before the repository in an image's name."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where the forge's pages start."""
        return f"http://{self.host}"

    def start(self) -> None:
        """Return when the registry answers."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(*self.within, sys.executable, "-m"),
                    *_command(self.server, self.application, self.port),
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
        """End the server and everything it started."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(subprocess.TimeoutExpired):
            end(process, STOP_TIMEOUT)

    def restart(self, **settings: str) -> None:
        """Start again with what there is, and other settings."""
        self.stop()
        self.settings |= settings
        self.start()

    def command(self, *arguments: str) -> str:
        """Return what a command of the application's own prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the application's own, whether it succeeds or not.

        :param settings: what its environment has, and the server's has not.
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
        """Return the most bytes that any one process of the server ever held."""
        assert self._process is not None
        return max(map(_peak_resident, _process_tree(self._process.pid)))

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
        # waitress refuses more than 1 GiB by default, which a layer may well have.
        "waitress": [
            *("waitress", "--host=127.0.0.1", f"--port={port}", "--threads=8"),
            *(
                f"--max-request-body-size={1 << 36}",
                "--call",
                f"{application}:create_app",
            ),
        ],
    }[server]


def environment(instance: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return the environment of a process of the example forge."""
    # What the person who runs the tests has set for a server must not reach this one.
    foreign = ("OCI_", "FLASK_", "GUNICORN_", "DATABASE_URL", "SECRET_KEY")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return inherited | {"EXAMPLE_INSTANCE": str(instance)} | settings


def end(process: subprocess.Popen[t.Any], timeout: float) -> None:
    """Ask a process to end, and leave neither it nor a child of its behind.

    :param timeout: how many seconds it has to do so by itself.
    :raises TimeoutExpired: when it had to be killed.
    """
    # A parent that dies of a signal cannot be asked for its children any more.
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
    """Return a port of 127.0.0.1 that nobody listens on."""
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
    # A process may end between being listed and being read.
    try:
        return path.read_text()
    except OSError:
        return ""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
