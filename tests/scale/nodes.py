"""Two nodes on one PostgreSQL server and one store."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import typing as t
from pathlib import Path

import sqlalchemy as sa

from tests.torture.client import Client
from tests.torture.server import Server

from .client import NodeClient
from .client import Reachable
from .namespace import Namespace
from .store import BUCKET
from .store import Cuttable
from .store import Link
from .store import Store
from .upkeep import FAILED

#: The prefixes of the bucket between which a migration moves all blobs.
PREFIXES: t.Final = ("one", "two")

NUMBER: t.Final = 2

#: The time limit of a process's start or end, in seconds.
PATIENCE: t.Final = 240.0

#: The commands that run all the time: two collections and a migration.
UPKEEP: t.Final = {
    "collection-a": ("gc", "--json"),
    "collection-b": ("gc", "--json"),
    "migration": (
        *("storage", "migrate", "--to", f"s3://{BUCKET}/{PREFIXES[1]}", ","),
        *("storage", "migrate", "--to", f"s3://{BUCKET}/{PREFIXES[0]}"),
    ),
}


class Node(Server):
    """One of several nodes, whose processes share the processors of the machine.

    :param prefix: the words before its command.
    """

    patience = PATIENCE

    def __init__(
        self,
        folder: Path,
        database: str,
        settings: t.Mapping[str, str],
        prefix: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder, database, settings)
        self._prefix = prefix

    def start(self, *prefix: str) -> None:
        """Start the node."""
        super().start(*self._prefix, *prefix)


class Nodes(Server):
    """The nodes, with the interface of one server.

    :param folder: for the nodes and the store.
    :param database: the URL of an empty PostgreSQL database.
    :param settings: additions to the environment.
    :param namespace: the namespace of the first node, or None.
    """

    patience = PATIENCE
    grace_periods = 3

    def __init__(
        self,
        folder: Path,
        database: str,
        settings: t.Mapping[str, str],
        namespace: Namespace | None = None,
    ) -> None:
        self._stack = contextlib.ExitStack()
        self.store = self._stack.enter_context(Store(folder / "store"))
        apart = () if namespace is None else (namespace,)
        hosts = [each.address for each in apart] + ["127.0.0.1"] * NUMBER
        self._proxies = [Link(self.store.port, host) for host in hosts[:NUMBER]]
        self.links: list[Cuttable] = [*apart, *self._proxies[len(apart) :]]
        self.database = database
        prefixes = [each.prefix for each in apart] + [()] * NUMBER
        self.nodes = [
            Node(
                _made(folder / f"node{number}"),
                database,
                {**_settings(proxy), **settings},
                prefixes[number],
            )
            for number, proxy in enumerate(self._proxies)
        ]
        self.reachable = Reachable(node.port for node in self.nodes)
        # Commands reach the store by a link that is never cut.
        super().__init__(
            _made(folder / "commands"), database, {**_settings(self.store), **settings}
        )
        self._upkeep: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *error: object) -> None:
        for name in list(self._upkeep):
            self.kill_upkeep(name)
        for node in self.nodes:
            node.__exit__(*error)
        for proxy in self._proxies:
            proxy.close()
        self._stack.close()
        super().__exit__(*error)

    def start(self, *prefix: str) -> None:
        """Start the nodes. The first one creates the tables."""
        for node in self.nodes:
            node.start(*prefix)
        self.port = self.nodes[0].port

    def client(self, authorization: str) -> Client:
        """Return a client of all nodes."""
        return NodeClient(self.reachable, authorization)

    def start_upkeep(self, name: str) -> None:
        """Start one of the commands that run all the time."""
        self._upkeep[name] = self.spawn_program(
            f"{name}.log", "tests.scale.upkeep", *UPKEEP[name]
        )

    def kill_upkeep(self, name: str) -> None:
        """Kill such a command, which must not have ended or failed."""
        process = self._upkeep.pop(name)
        ended = process.poll() is not None
        process.kill()
        process.wait()
        log = (self.folder / f"{name}.log").read_text(errors="replace")
        assert not ended, log[-4000:]
        assert FAILED not in log, log[log.index(FAILED) :][:4000]

    def kill_collector(self) -> None:
        """End all commands that run all the time."""
        for name in list(self._upkeep):
            self.kill_upkeep(name)

    def collections(self) -> list[int]:
        """Return the number of blobs that each completed collection deleted."""
        logs = self.folder.glob("collection-*.log")
        lines = [line for log in logs for line in log.read_text().splitlines()]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [len(fields["blobs"]) for fields in found]

    def migrated(self) -> int:
        """Return the number of blobs that migrations have moved."""
        log = self.folder / "migration.log"
        lines = log.read_text(errors="replace").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Moved"))

    def blobs(self) -> list[str]:
        """Return the digests of the recorded blobs.

        The consistency check compares them with the objects. A killed process may leave
        an object without a row, which only ``flask oci fsck --repair`` deletes, a week
        later.
        """
        return self._column("SELECT digest FROM oci_blob")

    def uploads(self) -> list[str]:
        """Return the ids of unfinished uploads in buckets."""
        return self._column("SELECT uuid FROM oci_bucket_upload")

    def _column(self, query: str) -> list[str]:
        engine = sa.create_engine(self.database, poolclass=sa.NullPool)
        with engine.connect() as connection:
            return [str(value) for (value,) in connection.exec_driver_sql(query)]

    def pause(self, number: int) -> t.ContextManager[None]:
        """Stop a node for the duration of the context, as a busy host does."""
        return _paused(self.nodes[number], self.reachable)


@contextlib.contextmanager
def _paused(node: Server, reachable: Reachable) -> t.Iterator[None]:
    processes = [node.pid, *node.workers()]
    reachable.remove(node.port)
    for pid in processes:
        _send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(processes):
            _send(pid, signal.SIGCONT)
        reachable.add(node.port)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def crash_postgresql(url: str) -> None:
    """Kill a process of PostgreSQL, which then ends all others and recovers."""
    folder = str(sa.make_url(url).query["host"])
    first = int(Path(folder, "data/postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _settings(store: Store | Link) -> dict[str, str]:
    stores = [
        f"s3://{BUCKET}/{prefix}?endpoint=http://{store.address}" for prefix in PREFIXES
    ]
    return {
        "SECRET_KEY": "2f0e4cbb8d1a47c6a9d3b57e6f81c902",
        "OCI_STORAGE": stores[0],
        "OCI_STORAGE_ALSO": json.dumps(stores[1:]),
        "OCI_STORAGE_CREDENTIALS": json.dumps(
            {"access_key": "forge", "secret_key": "forge-secret-key"}
        ),
    }
