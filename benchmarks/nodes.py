"""``python -m benchmarks.nodes``: two nodes against one, on PostgreSQL and a store.

Each node is pinned to a processor of its own with taskset. PostgreSQL, the store and
the load generator would run on other machines, but here they take time of the same
processors. The program therefore divides the answers of a node by the processor time
of this node alone: this is its rate on a processor that it does not share. The rate of
two nodes is the sum of theirs. A node that waits for the database is idle meanwhile, so
the plain rates are printed too.

The column of statements has those that PostgreSQL counted for one node, without the
``BEGIN`` and ``COMMIT`` of transactions.

Each client pushes to a repository of its own, as jobs of several projects do. Pushes to
one repository wait for each other, on one node as on two.

The result means nothing while other programs use the processors.
"""

from __future__ import annotations

import argparse
import secrets
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from example_app.nodes import store
from example_app.nodes.programs import find_programs

from . import load
from . import postgresql
from .node import Node
from .node import push_one
from .node import start_node
from .node import token_for

#: The number of clients that push to each node at once.
CLIENTS: t.Final = 4


#: The arguments of a server of PostgreSQL that counts statements.
COUNTING: t.Final = (
    *("-c", "shared_preload_libraries=pg_stat_statements"),
    *("-c", "pg_stat_statements.track_utility=off"),
)


class StatementCounter:
    """Counts the statements that a server of PostgreSQL executes.

    :param url: the URL of the server.
    """

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._execute("CREATE EXTENSION pg_stat_statements")

    def restart(self) -> None:
        """Count from 0."""
        self._execute("SELECT pg_stat_statements_reset()")

    def statements(self) -> int:
        """Return the number of statements since then."""
        return int(self._execute("SELECT sum(calls) FROM pg_stat_statements"))

    def _execute(self, statement: str) -> t.Any:
        with self._engine.begin() as connection:
            done = connection.execute(sa.text(statement))
            return done.scalar() if done.returns_rows else None


class Result(t.NamedTuple):
    """The result of a measurement."""

    answers: int
    seconds: float
    cpu_seconds: float
    """The processor time of the node."""


Measure = t.Callable[[Node, argparse.Namespace], int]


def main() -> None:
    """Measure one node and then two, and print a table."""
    options = _options()
    with ExitStack() as stack:
        folder = stack.enter_context(postgresql.temporary_folder())
        url = stack.enter_context(postgresql.running(folder / "postgresql", *COUNTING))
        counter = StatementCounter(url)
        nodes = _start(stack, folder, url)
        print(f"{'requests':32} {'one node':>10} {'two nodes':>10} ratio statements")
        for title, measure in (("manifest GETs", _get), ("image pushes", _push)):
            counter.restart()
            one = _measured(nodes[:1], measure, options)
            statements = counter.statements() / one[0].answers
            two = _measured(nodes, measure, options)
            for name, rate in (("by processor", _unshared), ("plain", _plain)):
                rates = rate(one), rate(two)
                label, ratio = f"{title}, {name}, 1/s", rates[1] / rates[0]
                print(
                    f"{label:32} {rates[0]:10.1f} {rates[1]:10.1f} {ratio:5.2f}"
                    f" {statements:10.1f}"
                )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.nodes", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of GETs")
    parser.add_argument("--images", type=int, default=100, help="pushed to each node")
    return parser.parse_args()


def _start(stack: ExitStack, folder: Path, url: str) -> list[Node]:
    part, _, settings = store.start(find_programs(), folder / "store")
    stack.callback(part.stop)
    settings |= {
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_hex(32),
        "OCI_WORK": "null",
    }
    return [start_node(stack, folder / f"node{n}", settings, cpu=n) for n in range(2)]


def _measured(
    nodes: list[Node], measure: Measure, options: argparse.Namespace
) -> list[Result]:
    """Measure nodes at the same time."""

    def run(node: Node) -> Result:
        before, started = node.process.cpu_seconds(), time.perf_counter()
        answers = measure(node, options)
        taken = time.perf_counter() - started
        return Result(answers, taken, node.process.cpu_seconds() - before)

    with ThreadPoolExecutor(len(nodes)) as pool:
        return list(pool.map(run, nodes))


def _get(node: Node, options: argparse.Namespace) -> int:
    target = "/v2/alice/bench/manifests/latest"
    token = token_for(node.port, "alice/bench")
    return load.get(node.port, target, token, options.seconds).requests


def _push(node: Node, options: argparse.Namespace) -> int:
    number = int(options.images // CLIENTS)

    def work(client: int) -> None:
        repository = f"alice/bench-{node.port}-{client}"
        token = token_for(node.port, repository)
        for tag in range(number):
            push_one(node.port, repository, f"t{tag}", token)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
    return number * CLIENTS


def _unshared(results: list[Result]) -> float:
    return sum(result.answers / result.cpu_seconds for result in results)


def _plain(results: list[Result]) -> float:
    return sum(result.answers / result.seconds for result in results)


if __name__ == "__main__":
    main()
