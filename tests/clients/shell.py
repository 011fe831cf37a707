"""Runs the clients as a person does, with an environment of the test's own."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
from pathlib import Path

TIMEOUT = 300


@dataclasses.dataclass(frozen=True)
class Client:
    """A program with the arguments and the environment that all its calls share."""

    command: tuple[str, ...]
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    folder: Path | None = None

    def __call__(self, *arguments: object, stdin: str | bytes = b"") -> str:
        """Return what the program prints, and fail with all of it when it fails."""
        done = self._run(arguments, stdin)
        assert done.returncode == 0, _transcript(done)
        return done.stdout.decode(errors="replace")

    def binary(self, *arguments: object) -> bytes:
        """Return the very bytes that the program prints."""
        done = self._run(arguments, b"")
        assert done.returncode == 0, _transcript(done)
        return done.stdout

    def succeeds(self, *arguments: object) -> bool:
        """Tell whether the program succeeds."""
        return self._run(arguments, b"").returncode == 0

    def having(self, **environment: str) -> Client:
        """Return the same client with more in its environment."""
        more = self.environment | environment
        return dataclasses.replace(self, environment=more)

    def refuses(self, *arguments: object, stdin: str | bytes = b"") -> str:
        """Return what the program says when it fails, which it must."""
        done = self._run(arguments, stdin)
        assert done.returncode != 0, _transcript(done)
        return (done.stdout + done.stderr).decode(errors="replace")

    def _run(
        self, arguments: tuple[object, ...], stdin: str | bytes
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.command, *map(str, arguments)],
            cwd=self.folder,
            env=os.environ | self.environment,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )


def _transcript(done: subprocess.CompletedProcess[bytes]) -> str:
    output = (done.stdout + done.stderr).decode(errors="replace")
    return f"$ {shlex.join(done.args)}\n{output}[exit status {done.returncode}]"
