"""``python -m benchmarks.stores``: pushes to a store against those to the local disk.

A node of the example with versitygw and a node with the local disk get the same pushes
in turn. Each has a database of its own on one server of PostgreSQL. The time is the
processor time of the node alone, because the store and the database would run on other
machines.
"""

from __future__ import annotations

import argparse
import secrets
import typing as t
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from example_app.nodes import store
from example_app.nodes.programs import find_programs

from . import postgresql
from .client import Connection
from .node import Node
from .node import push_one
from .node import start_node
from .node import token_for
from .pushing import push_file
from .pushing import random_file

MIB: t.Final = 1024 * 1024

Push = t.Callable[[Node, str], object]


def main() -> None:
    """Push to both nodes in turn, and print the milliseconds of a push and ratios."""
    options = _options()
    with ExitStack() as stack:
        folder = stack.enter_context(postgresql.temporary_folder())
        local, other = _start(stack, folder)

        def push_images(node: Node, repository: str) -> None:
            token = token_for(node.port, repository)
            for tag in range(options.images):
                push_one(node.port, repository, f"t{tag}", token)

        def push_blob(node: Node, repository: str) -> None:
            file = random_file(folder, options.mebibytes * MIB)
            token = token_for(node.port, repository)
            with Connection(node.port, token) as connection:
                push_file(connection, repository, file)
            Path(file.path).unlink()

        print(f"{'push':26} {'local disk':>10} {'store':>10} ratios of the rounds")
        images = _Row("image of four blobs", push_images, options.images)
        blob = _Row(f"blob of {options.mebibytes} MiB", push_blob, 1)
        for row in (images, blob):
            print(row.measured(local, other, options.rounds), flush=True)


class _Row(t.NamedTuple):
    title: str
    push: Push
    number: int
    """How often ``push`` pushes."""

    def measured(self, local: Node, other: Node, rounds: int) -> str:
        """Measure the row, and return its line."""
        times = [
            [self._milliseconds(node, number) for node in (local, other)]
            for number in range(rounds)
        ]
        means = [sum(column) / rounds for column in zip(*times, strict=True)]
        ratios = " ".join(f"{b / a:.2f}" for a, b in times)
        return f"{self.title:26} {means[0]:10.1f} {means[1]:10.1f} {ratios}"

    def _milliseconds(self, node: Node, number: int) -> float:
        before = node.process.cpu_seconds()
        self.push(node, f"alice/round-{number}")
        return (node.process.cpu_seconds() - before) * 1000 / self.number


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.stores", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=40, help="of a round")
    parser.add_argument("--mebibytes", type=int, default=64, help="of a large blob")
    return parser.parse_args()


def _start(stack: ExitStack, folder: Path) -> tuple[Node, Node]:
    url = stack.enter_context(postgresql.running(folder / "postgresql"))
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE other"))
    part, _, stored = store.start(find_programs(), folder / "store")
    stack.callback(part.stop)
    common = {"SECRET_KEY": secrets.token_hex(32), "OCI_WORK": "null"}
    local = start_node(stack, folder / "local", common | {"DATABASE_URL": url})
    second = sa.make_url(url).set(database="other").render_as_string(False)
    settings = common | stored | {"DATABASE_URL": second}
    return local, start_node(stack, folder / "other", settings)


if __name__ == "__main__":
    main()
