"""Runs clients with an environment of the test."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
from pathlib import Path

from tests.support.forge import tool

TIMEOUT = 300


@dataclasses.dataclass(frozen=True)
class Client:
    """A program with common arguments and environment."""

    command: tuple[str, ...]
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    folder: Path | None = None

    def __call__(self, *arguments: object, stdin: str | bytes = b"") -> str:
        """Return the output of the program; if it fails, fail with the output."""
        done = self._run(arguments, stdin)
        assert done.returncode == 0, _transcript(done)
        return done.stdout.decode(errors="replace")

    def says(self, *arguments: object) -> str:
        """Return the output and the log of the program, which must succeed."""
        done = self._run(arguments, b"")
        assert done.returncode == 0, _transcript(done)
        return _transcript(done)

    def binary(self, *arguments: object) -> bytes:
        """Return the exact bytes of the output."""
        done = self._run(arguments, b"")
        assert done.returncode == 0, _transcript(done)
        return done.stdout

    def succeeds(self, *arguments: object) -> bool:
        """Return True if the program succeeds."""
        return self._run(arguments, b"").returncode == 0

    def having(self, **environment: str) -> Client:
        """Return the same client with more environment variables."""
        more = self.environment | environment
        return dataclasses.replace(self, environment=more)

    def refuses(self, *arguments: object, stdin: str | bytes = b"") -> str:
        """Return the output of the program, which must fail."""
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


def isolated(name: str, source: str, folder: Path, run: Path) -> Client:
    """Return a program that finds only its own logins and images.

    :param folder: the folder for its files.
    :param run: the folder for its sockets, whose paths must be short.
    """
    command = [tool(name, source)]
    if name in ("podman", "buildah"):
        command += [f"--root={folder}/storage", f"--runroot={run}"]
        command += ["--storage-driver=vfs"]
    if name == "podman":
        command += ["--events-backend=none", f"--tmpdir={run}/tmp"]
    # Podman does not pull without the configured file.
    (folder / "auth.json").write_text("{}")
    helm = {f"HELM_{x}_HOME": str(folder / x) for x in ("CONFIG", "CACHE", "DATA")}
    return Client(
        tuple(command),
        {
            "DOCKER_CONFIG": str(folder / "docker"),
            "REGCTL_CONFIG": str(folder / "regctl.json"),
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
            **helm,
        },
        # The path of a layout becomes the name of the image that is pulled from it,
        # which not every path can be, so that the tests name layouts from here.
        folder,
    )


def _transcript(done: subprocess.CompletedProcess[bytes]) -> str:
    output = (done.stdout + done.stderr).decode(errors="replace")
    return f"$ {shlex.join(done.args)}\n{output}[exit status {done.returncode}]"
