"""Large blobs: throughput in MiB per second, and memory."""

from __future__ import annotations

import tempfile
import time
import typing as t
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .client import Connection
from .pushing import push_file
from .pushing import random_file
from .row import Measured
from .row import Row

if t.TYPE_CHECKING:
    from .row import Sizes
    from .server import Server

MIB: t.Final = 1 << 20
REPOSITORY: t.Final = "bench/bulk"

#: The number of clients that push at once while memory is measured.
MANY: t.Final = 8


def in_parallel(server: Server, works: list[Callable[[Connection], object]]) -> float:
    """Do each work on its own connection; return the seconds that all took."""
    connections = [server.connect(REPOSITORY) for _ in works]
    with ThreadPoolExecutor(len(works)) as pool:
        started = time.perf_counter()
        running = [
            pool.submit(work, connection)
            for work, connection in zip(works, connections, strict=True)
        ]
        for work_done in running:
            work_done.result()
        taken = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return taken


def _push_all(server: Server, count: int, mib: int) -> Measured:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        files = [random_file(Path(folder), mib * MIB) for _ in range(count)]
        works: list[Callable[[Connection], object]] = [
            lambda connection, file=file: push_file(connection, REPOSITORY, file)  # type: ignore[misc]
            for file in files
        ]
        taken = in_parallel(server, works)
    return Measured(count * mib / taken, count * mib)


def _push_one(server: Server, sizes: Sizes) -> Measured:
    return _push_all(server, 1, sizes.large)


def _push_four(server: Server, sizes: Sizes) -> Measured:
    return _push_all(server, 4, sizes.large // 4)


def _memory(server: Server, sizes: Sizes) -> Measured:
    server.processes.forget_peak()
    _push_all(server, MANY, sizes.large)
    return Measured(server.processes.peak_memory() / MIB, MANY * sizes.large)


def _memory_kept(server: Server, sizes: Sizes) -> Measured:
    return Measured(server.processes.memory() / MIB, 1)


def _store(server: Server, sizes: Sizes) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        server.connect(REPOSITORY) as connection,
    ):
        server.stored = random_file(Path(folder), sizes.large * MIB)
        push_file(connection, REPOSITORY, server.stored)


def _pull_all(server: Server, count: int) -> Measured:
    target = f"/v2/{REPOSITORY}/blobs/{server.stored.digest}"
    works: list[Callable[[Connection], object]] = [lambda c: c.pull(target)] * count
    mib = server.stored.size * count / MIB
    return Measured(mib / in_parallel(server, works), mib)


ROWS: t.Final = (
    Row("push-one", "push of one large blob", "MiB/s", _push_one),
    Row("push-four", "push of four blobs at once", "MiB/s", _push_four),
    Row(
        "pull-one",
        "pull of one large blob",
        "MiB/s",
        lambda server, sizes: _pull_all(server, 1),
        prepare=_store,
    ),
    Row(
        "pull-four",
        "pull of it by four at once",
        "MiB/s",
        lambda server, sizes: _pull_all(server, 4),
        prepare=_store,
    ),
    Row(
        "memory",
        "most memory, while eight push large blobs",
        "MiB",
        _memory,
        less_is_better=True,
    ),
    Row(
        "memory-kept",
        "memory held when they have",
        "MiB",
        _memory_kept,
        less_is_better=True,
    ),
)
