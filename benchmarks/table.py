"""Turns: every row is measured in every registry, and then again."""

from __future__ import annotations

import statistics
import sys
import typing as t
from dataclasses import dataclass
from dataclasses import field

from .row import Prepare
from .row import Row
from .row import Sizes
from .server import Server
from .server import Unavailable


@dataclass
class Cell:
    """What one row gave in one registry."""

    values: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Milliseconds of the processors' time for each request, image or MiB."""

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def milliseconds(self) -> float:
        """The median."""
        return statistics.median(self.cpu)


#: By the keys of rows and the names of registries; where there is none, the
#: registry has no such thing.
Table = dict[tuple[str, str], Cell]


def measure(
    servers: t.Sequence[Server], rows: t.Sequence[Row], rounds: int, sizes: Sizes
) -> Table:
    """Measure all rows in all registries, in turns.

    What disturbs the machine for a while then disturbs every registry.

    :param servers: running.
    """
    table: Table = {}
    prepared: set[tuple[Prepare, str]] = set()
    for row in rows:
        able = [server for server in servers if _is_able(server, row, sizes, prepared)]
        for turn in range(rounds):
            for server in able:
                cell = table.setdefault((row.key, server.name), Cell())
                before = server.process.cpu_seconds()
                measured = row.measure(server, sizes)
                used = server.process.cpu_seconds() - before
                cell.values.append(measured.value)
                cell.cpu.append(1000 * used / measured.done)
                print(
                    f"{row.key}, round {turn + 1} of {rounds}, {server.name}:"
                    f" {measured.value:.1f} {row.unit}",
                    file=sys.stderr,
                    flush=True,
                )
    return table


def _is_able(
    server: Server, row: Row, sizes: Sizes, prepared: set[tuple[Prepare, str]]
) -> bool:
    """Prepare a registry for a row, unless another row has; tell whether it could."""
    if row.key in server.lacks:
        return False
    if row.prepare is None or (row.prepare, server.name) in prepared:
        return True
    try:
        row.prepare(server, sizes)
    except Unavailable:
        return False
    prepared.add((row.prepare, server.name))
    return True
