"""Server processes: start, stop, processor time and memory."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import typing as t
from pathlib import Path

#: The time limit of a server's start or stop, in seconds.
PATIENCE: t.Final = 30.0

_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """A program that runs until it is stopped, with its child processes.

    :param command: the program and its arguments.
    :param log: the file for its output.
    :param environ: additions to the environment of this process.
    :param user: the account that runs it; None is the current one.
    """

    def __init__(
        self,
        command: list[str],
        log: Path,
        *,
        environ: dict[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=log.parent,
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
            )

    def wait_for_port(self, port: int) -> None:
        """Return when a process listens on a port of this machine.

        :raises RuntimeError: with the program's output, if none does in time.
        """
        self._wait_for(socket.AF_INET, ("127.0.0.1", port))

    def wait_for_socket(self, path: Path) -> None:
        """Return when a process listens on a Unix socket.

        :raises RuntimeError: with the program's output, if none does in time.
        """
        self._wait_for(socket.AF_UNIX, str(path))

    def _wait_for(self, family: int, address: tuple[str, int] | str) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket(family) as probe, contextlib.suppress(OSError):
                probe.settimeout(1)
                probe.connect(address)
                return
            time.sleep(0.05)
        self.end()
        raise RuntimeError(f"did not start:\n{self._log.read_text()[-2000:]}")

    def end(self) -> None:
        """Stop the program and its child processes."""
        family = self._family()
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used, in user and in system mode."""
        ticks = 0
        for pid in self._family():
            # The name before it, in parentheses, may contain any character.
            fields = _read(pid, "stat").rpartition(")")[2].split()
            if fields:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS

    def forget_peak(self) -> None:
        """Reset the measurement of peak memory."""
        for pid in self._family():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_memory(self) -> int:
        """Return the sum of each process's peak memory since the reset, in bytes."""
        return sum(self._memory(pid, "VmHWM") for pid in self._family())

    def memory(self) -> int:
        """Return the memory of all processes, in bytes."""
        return sum(self._memory(pid, "VmRSS") for pid in self._family())

    def _memory(self, pid: int, field: str) -> int:
        for line in _read(pid, "status").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        return 0

    def _family(self) -> list[int]:
        family = [self._process.pid]
        for parent in family:
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    family.extend(map(int, children.read_text().split()))
        return family


class Processes:
    """The programs that a registry consists of.

    :param programs: in the order of their start.
    """

    def __init__(self, *programs: Process) -> None:
        self._programs = programs

    def cpu_seconds(self) -> float:
        """Return the processor time of all of them."""
        return sum(program.cpu_seconds() for program in self._programs)

    def forget_peak(self) -> None:
        """Reset the measurement of peak memory."""
        for program in self._programs:
            program.forget_peak()

    def peak_memory(self) -> int:
        """Return the sum of each process's peak memory since the reset, in bytes."""
        return sum(program.peak_memory() for program in self._programs)

    def memory(self) -> int:
        """Return the memory of all processes, in bytes."""
        return sum(program.memory() for program in self._programs)


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return t.cast(int, probe.getsockname()[1])


def _read(pid: int, name: str) -> str:
    # A process may end between the listing and the reading.
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
