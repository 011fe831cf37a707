"""Distribution, the registry in Go: version 3 and Debian's older version."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

from . import writes
from .processes import Process
from .processes import Processes
from .server import Server
from .signing import Signer

CONFIG: t.Final = """
version: 0.1
log: {{accesslog: {{disabled: true}}, level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{port}", secret: "for as long as it is measured"}}
"""

AUTH: t.Final = """
auth:
  token:
    realm: http://127.0.0.1:{port}/token
    service: benchmark
    issuer: benchmark
    rootcertbundle: {certificate}
"""


class Distribution(Server):
    """Distribution's registry on a local disk.

    :param program: its executable.
    :param signer: issues the tokens that it requires; None is no authentication.
    """

    # It has no token service and no database.
    lacks: t.ClassVar = frozenset({"token", *(row.key for row in writes.ROWS)})

    def __init__(
        self, folder: Path, name: str, program: str, signer: Signer | None = None
    ) -> None:
        super().__init__(folder)
        self.name = f"{name}, tokens" if signer else name
        self._program = program
        self._signer = signer

    def start(self) -> None:
        """Write its configuration and start it."""
        config = CONFIG.format(folder=self.folder, port=self.port)
        if self._signer:
            config += AUTH.format(port=self.port, certificate=self._signer.certificate)
        path = self.folder / "config.yml"
        path.write_text(config)
        process = Process(
            [self._program, "serve", str(path)],
            self.folder / "log",
            environ={"OTEL_TRACES_EXPORTER": "none"},
        )
        self._stack.callback(process.end)
        process.wait_for_port(self.port)
        self.processes = Processes(process)

    def authorization(self, repository: str = "*") -> str | None:
        """Sign a token, if tokens are required."""
        if self._signer is None:
            return None
        return f"Bearer {self._signer.token(repository)}"

    def version(self) -> str:
        """Return the version that the program prints."""
        done = subprocess.run(
            [self._program, "--version"], capture_output=True, text=True, check=True
        )
        return done.stdout.split()[-1]

    def fill_tags(self, repository: str, count: int) -> None:
        """Write the files that a push of each tag would have left."""
        folder = self._repository(repository) / "_manifests/tags"
        for number in range(count):
            shutil.copytree(folder / "latest", folder / f"t{number:06}")

    def fill_catalog(self, count: int, readable: int) -> None:
        """Write the files that pushes would have left. It lists all repositories to
        every client that may list any."""
        source = self._repository("bench/catalog")
        for number in range(count):
            folder = self._repository(f"many/r{number:06}")
            for part in ("_manifests", "_layers"):
                shutil.copytree(source / part, folder / part)

    def _repository(self, name: str) -> Path:
        return self.folder / "data/docker/registry/v2/repositories" / name


def find(names: t.Iterable[str], folder: str | None = None) -> str | None:
    """Return the path of the first program that is installed, or None."""
    path = os.pathsep.join(filter(None, [folder, os.environ["PATH"]]))
    found = (shutil.which(name, path=path) for name in names)
    return next(filter(None, found), None)
