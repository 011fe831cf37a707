"""The table: every row is measured in every registry, in several rounds."""

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
    """The results of one row in one registry."""

    values: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """The processor time of each request, image or MiB, in milliseconds."""

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def milliseconds(self) -> float:
        """The median."""
        return statistics.median(self.cpu)


#: The cells by the key of a row and the name of a registry. A registry that lacks the
#: feature has no cell.
Table = dict[tuple[str, str], Cell]


def measure(
    servers: t.Sequence[Server], rows: t.Sequence[Row], rounds: int, sizes: Sizes
) -> Table:
    """Measure all rows in all registries, in turns.

    A temporary disturbance of the machine then affects every registry.

    :param servers: the running registries.
    """
    table: Table = {}
    prepared: set[tuple[Prepare, str]] = set()
    for row in rows:
        able = [server for server in servers if _is_able(server, row, sizes, prepared)]
        for turn in range(rounds):
            for server in able:
                cell = table.setdefault((row.key, server.name), Cell())
                before = server.processes.cpu_seconds()
                measured = row.measure(server, sizes)
                used = server.processes.cpu_seconds() - before
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
    """Prepare a registry for a row, once; return True if it can be measured."""
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
