"""Temporary PostgreSQL and MariaDB servers."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

import sqlalchemy as sa

from tests.support.forge import tool
from tests.support.forge import wait_until

START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0

#: The folder of Debian's PostgreSQL programs, which is not in PATH.
POSTGRESQL = Path("/usr/lib/postgresql")


@contextlib.contextmanager
def postgresql(*, durable: bool = True) -> t.Iterator[str]:
    """Run a PostgreSQL server that listens on a socket in its own folder.

    :param durable: whether commits wait for the disk, as they do by default.
    :return: the URL of an empty database, for SQLAlchemy.
    """
    with _folder_of("postgres") as folder:
        initdb = _postgresql_program("initdb")
        data = folder / "data"
        account = ("--username=forge", "--auth=trust", "--encoding=UTF8")
        _run(folder, initdb, f"--pgdata={data}", "--no-sync", "--locale=C", *account)
        quick = () if durable else ("-c", "fsync=off")
        command = (
            *(_postgresql_program("postgres"), "-D", str(data), "-k", str(folder)),
            *("-c", "listen_addresses=", "-c", "max_connections=200", *quick),
        )
        url = f"postgresql+psycopg://forge@/postgres?host={folder}"
        # A "fast" shutdown does not wait for clients to disconnect.
        with _running(folder, command, url, signal.SIGINT):
            try:
                yield url
            finally:
                # A server that was restarted is not a child of this process.
                if (data / "postmaster.pid").exists():
                    _control_postgresql(folder, "stop")


def restart_postgresql(url: str) -> None:
    """Restart a server of :func:`postgresql` as an operator does. Transactions are
    rolled back, and connections end.

    :param url: a URL of a database of the server.
    """
    folder = Path(str(sa.make_url(url).query["host"]))
    _control_postgresql(folder, "restart", "-l", str(folder / "restarts.log"))


def _control_postgresql(folder: Path, *words: str) -> None:
    program = _postgresql_program("pg_ctl")
    _run(folder, program, "-D", f"{folder}/data", "-m", "fast", *words)


@contextlib.contextmanager
def mariadb(*, durable: bool = True) -> t.Iterator[str]:
    """Run a MariaDB server that listens on a socket in its own folder.

    :param durable: whether commits wait for the disk, as they do by default.
    :return: the URL of an empty database, for SQLAlchemy.
    """
    with _folder_of("mysql") as folder:
        account = pwd.getpwuid(folder.stat().st_uid).pw_name
        place = ("--no-defaults", f"--datadir={folder}/data", f"--user={account}")
        install = tool("mariadb-install-db", "Debian's mariadb-server")
        _run(folder, install, *place, "--auth-root-authentication-method=normal")
        quick = () if durable else ("--innodb-flush-log-at-trx-commit=0",)
        socket = folder / "socket"
        command = (
            *(tool("mariadbd", "Debian's mariadb-server"), *place, *quick),
            *(f"--socket={socket}", f"--pid-file={folder}/pid", "--skip-networking"),
            "--max-connections=200",
        )
        url = f"mariadb+pymysql://root@/test?unix_socket={socket}&charset=utf8mb4"
        with _running(folder, command, url, signal.SIGTERM):
            yield url


#: The function that starts each supported database server.
SERVERS: t.Final = {"postgresql": postgresql, "mariadb": mariadb}


@contextlib.contextmanager
def _running(
    folder: Path, command: tuple[str, ...], url: str, stop: signal.Signals
) -> t.Iterator[None]:
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, **_as_owner(folder)
        )
    try:
        wait_until(
            lambda: _answers(server, folder, url), START_TIMEOUT, f"starting {url}"
        )
        yield
    finally:
        server.send_signal(stop)
        try:
            server.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(server: subprocess.Popen[bytes], folder: Path, url: str) -> bool:
    if server.poll() is not None:
        raise ChildProcessError(f"exit status {server.returncode}")
    # MariaDB's driver leaves a socket open after a failed connection.
    if not any(path.is_socket() for path in folder.iterdir()):
        return False
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        return False
    return True


@contextlib.contextmanager
def _folder_of(account: str) -> t.Iterator[Path]:
    """Create a folder for a server, which refuses to run as root.

    Its path is short, because a socket's name has to be.
    """
    folder = Path(tempfile.mkdtemp(prefix="oci-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, account, account)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, **_as_owner(folder)
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")


def _as_owner(folder: Path) -> dict[str, t.Any]:
    if os.geteuid() != 0:
        return {"cwd": folder}
    status = folder.stat()
    return {
        "cwd": folder,
        "user": status.st_uid,
        "group": status.st_gid,
        "extra_groups": [],
    }


def _postgresql_program(name: str) -> str:
    versions = sorted(POSTGRESQL.glob(f"*/bin/{name}"))
    return str(versions[-1]) if versions else tool(name, "Debian's postgresql")
