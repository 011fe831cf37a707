"""A temporary PostgreSQL server with its default settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import free_port
from .processes import Process

#: The folder of Debian's PostgreSQL programs.
PROGRAMS: t.Final = "/usr/lib/postgresql"


def find(program: str) -> str | None:
    """Return the path of a program of PostgreSQL, or None if it is not installed."""
    versions = sorted(Path(PROGRAMS).glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, versions), os.environ["PATH"]])
    return shutil.which(program, path=path)


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create a folder for the duration of the context, in which a server can run.

    :param parent: the folder in which it is created; None is that of the system.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=parent) as name:
        folder = Path(name)
        # PostgreSQL may run as another user, who needs access to its folder.
        folder.chmod(0o711)
        yield folder


@contextmanager
def running(folder: Path, *options: str) -> Iterator[str]:
    """Run a server for the duration of the context, and yield its URL.

    :param options: more arguments of the server.
    :raises FileNotFoundError: if PostgreSQL is not installed.
    """
    initdb, postgres = find("initdb"), find("postgres")
    if not (initdb and postgres):
        raise FileNotFoundError("install PostgreSQL's server, in Debian postgresql")
    folder.mkdir(parents=True)
    # It refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    subprocess.run(
        [
            initdb,
            "-D",
            str(folder / "data"),
            "-U",
            "bench",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ],
        check=True,
        capture_output=True,
        cwd=folder,
        user=user,
    )
    port = free_port()
    server = Process(
        [
            *(postgres, "-D", str(folder / "data"), "-p", str(port)),
            *("-k", str(folder), "-c", "listen_addresses=127.0.0.1"),
            *options,
        ],
        folder / "log",
        user=user,
    )
    try:
        server.wait_for_port(port)
        yield f"postgresql+psycopg://bench@127.0.0.1:{port}/postgres"
    finally:
        server.end()
