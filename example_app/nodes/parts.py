"""The running parts of the example: processes, their logs and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

START_TIMEOUT: t.Final = 60.0
STOP_TIMEOUT: t.Final = 20.0


class Failed(Exception):
    """A part that did not start, or that ended."""


class Part:
    """A program in a session of its own, which an interrupt of the terminal misses.

    :param name: its name in messages.
    :param log: the file of its output.
    :param command: the program and its arguments.
    :param stop: the signal that ends it.
    :param environment: additions to this process's environment.
    :param user: the id of the account that runs it; None is that of this process.
    """

    def __init__(
        self,
        name: str,
        log: Path,
        command: t.Sequence[str],
        stop: signal.Signals = signal.SIGTERM,
        environment: t.Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> None:
        self.name = name
        self._log = log
        self._stop = stop
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                user=user,
                extra_groups=None if user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the first process, which is also that of its group."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the first process has ended."""
        return self._process.poll() is not None

    def wait(self, ready: t.Callable[[], bool]) -> None:
        """Return as soon as `ready` is true; otherwise stop the part.

        :raises Failed: if the part ends first, or takes too long.
        """
        deadline = time.monotonic() + START_TIMEOUT
        try:
            while not ready():
                if self.ended or time.monotonic() > deadline:
                    raise self.failure()
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise

    def failure(self) -> Failed:
        """Return the error of a part that has ended, with the end of its log."""
        text = self._log.read_text(errors="replace")[-2000:]
        return Failed(f"{self.name} is not running. The end of its log:\n{text}")

    def stop(self) -> None:
        """End its processes; return when the first one has ended."""
        self._process.send_signal(self._stop)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT)
        # A worker may outlive its parent.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, path: str = "/") -> bool:
    """Return True if an HTTP server on 127.0.0.1 answers, with any status below 500."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30).close()
    except urllib.error.HTTPError as error:
        with error:
            return error.code < 500
    except OSError:
        return False
    return True
