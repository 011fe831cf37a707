"""A PostgreSQL server for the nodes."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import typing as t
from pathlib import Path

from .parts import Failed
from .parts import Part


def start(programs: t.Mapping[str, str], folder: Path) -> tuple[Part, str]:
    """Start a server that listens on a socket in its folder.

    :param folder: an absent folder for its data.
    :return: the server and the URL of an empty database.
    :raises Failed: if it does not start.
    """
    folder.mkdir(mode=0o700)
    user = _unprivileged_user()
    if user is not None:
        os.chown(folder, user, -1)
    account = ("--username=forge", "--auth=trust", "--encoding=UTF8", "--locale=C")
    done = subprocess.run(
        [programs["initdb"], f"--pgdata={folder}/data", "--no-sync", *account],
        cwd=folder,
        user=user,
        extra_groups=None if user is None else [],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"initdb failed:\n{done.stdout}{done.stderr}")
    options = (
        "-k",
        str(folder),
        "-c",
        "listen_addresses=",
        "-c",
        "max_connections=200",
    )
    part = Part(
        "PostgreSQL",
        folder.with_suffix(".log"),
        [programs["postgres"], "-D", f"{folder}/data", *options],
        # With SIGTERM, it would wait for its clients.
        stop=signal.SIGINT,
        user=user,
    )
    # The last line of this file says when the server accepts connections.
    status = folder / "data/postmaster.pid"
    part.wait(lambda: status.exists() and "ready" in status.read_text())
    return part, f"postgresql+psycopg://forge@/postgres?host={folder}"


def _unprivileged_user() -> int | None:
    """Return the account of a server, which refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        raise Failed(
            "PostgreSQL refuses to run as root. Use another account."
        ) from None
