"""The run of a scanner: a program of the operator, with bounds on its time and output.

The program is started without a shell. It reads the image through the API, with the
login that its environment gives it, and writes the results to its standard output.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import typing as t
from contextlib import suppress

if t.TYPE_CHECKING:
    from collections.abc import Sequence

#: The maximum size of the results, in bytes: what the registry reads of an artifact.
MAX_OUTPUT: t.Final = 4 * 1024 * 1024

#: The longest wait for a pipe after the program has ended, in seconds. Programs that it
#: has started may keep the pipe open.
PIPE_TIMEOUT: t.Final = 10.0

#: The maximum length of the standard error that is kept, in bytes.
MAX_ERRORS: t.Final = 8 * 1024


class ScanFailed(Exception):
    """The scanner did not write results; the message says why."""


def arguments(command: Sequence[str], values: dict[str, str]) -> list[str]:
    """Return the arguments of a scanner.

    :param command: the program and its arguments, with placeholders such as
        ``{image}``.
    :param values: the values of the placeholders, by name.
    :raises ValueError: if the command does not name the image.
    """
    found = [_filled(argument, values) for argument in command]
    if found == list(command):
        raise ValueError(
            "The command does not name the image: write {image} where the scanner"
            " expects it."
        )
    return found


def run(command: Sequence[str], timeout: float) -> bytes:
    """Return the standard output of a program.

    :param command: the program and its arguments.
    :param timeout: the longest time, in seconds.
    :raises ScanFailed: if it cannot be started, takes too long, or writes too much or
        nothing.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own command.
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ScanFailed(f"{command[0]} cannot be started: {error.strerror}") from None
    output = _Pipe(t.cast("t.IO[bytes]", process.stdout), MAX_OUTPUT, process)
    errors = _Pipe(t.cast("t.IO[bytes]", process.stderr), MAX_ERRORS)
    try:
        process.wait(timeout)
        output.thread.join(PIPE_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise ScanFailed(f"it took longer than {timeout:.0f} s") from None
    finally:
        pipes = (output.thread, errors.thread)
        if process.poll() is None or any(thread.is_alive() for thread in pipes):
            _end(process)
        for thread in pipes:
            thread.join(PIPE_TIMEOUT)
    if output.is_too_long:
        raise ScanFailed(f"its results have more than {MAX_OUTPUT} bytes")
    if not output.content.strip():
        said = " ".join(errors.content.decode("utf-8", "replace").split())
        raise ScanFailed(f"it wrote no results (status {process.returncode}): {said}")
    return output.content


class _Pipe:
    """A pipe that a thread reads, up to a size.

    :param process: a program that is ended if it writes more; None reads on and forgets
        the rest.
    """

    def __init__(
        self,
        pipe: t.IO[bytes],
        limit: int,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.content = b""
        self.is_too_long = False
        self._pipe, self._limit, self._process = pipe, limit, process
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        pieces, size = [], 0
        with self._pipe:
            while piece := self._pipe.read(64 * 1024):
                if size < self._limit:
                    pieces.append(piece[: self._limit - size])
                size += len(piece)
                if size > self._limit and self._process is not None:
                    self.is_too_long = True
                    _end(self._process)
        self.content = b"".join(pieces)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program with the programs that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _filled(argument: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        argument = argument.replace(f"{{{name}}}", value)
    return argument
