"""The example forge on gunicorn, and its collection, which tests kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import typing as t
import weakref
from pathlib import Path

from tests.support.forge import wait_until
from tests.support.paths import ROOT

from .client import Client

WORKERS = 3
THREADS = 4

#: The time limit of a process's start or end, in seconds.
PATIENCE = 60.0

#: The grace period of the collection, in seconds.
GRACE = 4


class Server:
    """A forge with several workers, and a repeated collection.

    The test owns the socket, so clients wait while the server is down.

    :param folder: for the blobs, the logs and, if it is SQLite, the database.
    :param database: the URL of an empty database; None is SQLite.
    :param settings: additions to the environment.
    """

    patience = PATIENCE
    """The time limit of a process's start or end, in seconds."""

    grace_periods = 2
    """The number of grace periods after which all garbage is deleted."""

    _all: t.ClassVar[weakref.WeakSet[Server]] = weakref.WeakSet()

    def __init__(
        self,
        folder: Path,
        database: str | None,
        settings: t.Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._all.add(self)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(256)
        self.port: int = self._listener.getsockname()[1]
        self._master: subprocess.Popen[bytes] | None = None
        self._collector: subprocess.Popen[bytes] | None = None
        foreign = ("OCI_", "FLASK_", "GUNICORN_", "DATABASE_URL", "SECRET_KEY")
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(foreign)},
            **({"DATABASE_URL": database} if database else {}),
            "EXAMPLE_INSTANCE": str(folder),
            "PYTHONPATH": str(ROOT),
            # A worker that is killed during the write of one would leave half of it.
            "PYTHONDONTWRITEBYTECODE": "1",
            # The collector of this test runs the collection.
            "OCI_WORK": "null",
            "OCI_GRACE_PERIOD": str(GRACE),
            "OCI_UNTAGGED_LIFETIME": "1",
            "OCI_UNDO_PERIOD": "1",
            "OCI_UPLOAD_LIFETIME": str(GRACE),
            "OCI_TOKEN_LIFETIME": str(24 * 60 * 60),
            **(settings or {}),
        }

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.kill_collector()
        finally:
            self.kill()
            self._listener.close()

    @classmethod
    def logs(cls) -> list[Path]:
        """Return the logs of the servers that exist, also of those that were killed."""
        logs = (server.folder / "server.log" for server in cls._all)
        return sorted(log for log in logs if log.exists())

    def client(self, authorization: str) -> Client:
        """Return a client with a connection of its own."""
        return Client(self.port, authorization)

    def start(self, *prefix: str) -> None:
        """Start the server, optionally below another program such as strace."""
        self._master = self._spawn(
            "server.log",
            *prefix,
            *(sys.executable, "-m", "gunicorn", "--preload"),
            *("--config", "example_app/gunicorn.conf.py"),
            *("--bind", f"fd://{self._listener.fileno()}"),
            *("--workers", str(WORKERS), "--threads", str(THREADS)),
            "tests.torture.warm_forge:create_app()",
        )
        wait_until(self._is_whole, self.patience, "starting the server")

    def start_collector(self) -> None:
        """Start the repeated collection in a separate process."""
        self._collector = self.spawn_program("collector.log", "tests.torture.collector")

    def spawn_program(
        self, log: str, module: str, *words: str
    ) -> subprocess.Popen[bytes]:
        """Start a module of the tests in the server's environment."""
        return self._spawn(log, sys.executable, "-m", module, *words)

    @property
    def pid(self) -> int:
        """The id of the server's first process."""
        assert self._master is not None
        return self._master.pid

    def workers(self) -> list[int]:
        """Return the ids of the worker processes."""
        pid = self.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [child for child in map(int, children.split()) if _runs(child)]

    def kill_worker(self, choose: t.Callable[[list[int]], int]) -> None:
        """Kill a worker; the server starts another."""
        wait_until(lambda: bool(self.workers()), self.patience, "starting a worker")
        os.kill(choose(self.workers()), signal.SIGKILL)

    def kill(self) -> None:
        """Kill the server and all its workers at once."""
        if self._master is None:
            return
        # After the master, no process replaces a killed worker.
        os.kill(self._master.pid, signal.SIGSTOP)
        workers = self.workers()
        self._master.kill()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        self._master.wait()
        wait_until(
            lambda: not any(map(_runs, workers)), self.patience, "ending workers"
        )
        self._master = None

    def kill_collector(self) -> None:
        """Kill the collection, if it was started."""
        if self._collector is None:
            return
        ended = self._collector.poll() is not None
        self._collector.kill()
        self._collector.wait()
        self._collector = None
        assert not ended, self._end_of("collector.log")

    def command(self, *words: str) -> tuple[int, t.Any]:
        """Run a command of ``flask oci``, and return its status and its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "example_app", "oci", *words],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            timeout=self.patience,
            check=False,
        )
        assert done.stdout, done.stderr.decode(errors="replace")[-4000:]
        return done.returncode, json.loads(done.stdout)

    def blobs(self) -> list[str]:
        """Return the digests of the stored files."""
        files = (self.folder / "oci" / "blobs").glob("*/*/*")
        return [f"{file.parent.parent.name}:{file.name}" for file in files]

    def uploads(self) -> list[str]:
        """Return the names of the files of unfinished uploads."""
        return [file.name for file in (self.folder / "oci" / "uploads").iterdir()]

    def collections(self) -> list[int]:
        """Return the number of blobs that each completed collection deleted."""
        log = self.folder / "collector.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return [int(line) for line in lines if line.isdecimal()]

    def _end_of(self, log: str) -> str:
        return (self.folder / log).read_text(errors="replace")[-4000:]

    def _spawn(self, log: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                pass_fds=[self._listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _is_whole(self) -> bool:
        assert self._master is not None
        if self._master.poll() is not None:
            raise ChildProcessError(self._end_of("server.log"))
        return len(self.workers()) == WORKERS


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    # A dead process stays listed until its parent reads its status.
    return state != "Z"
