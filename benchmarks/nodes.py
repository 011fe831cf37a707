"""``python -m benchmarks.nodes``: two nodes against one, on PostgreSQL and a store.

Each node is pinned to a processor of its own with taskset. PostgreSQL, the store and
the load generator would run on other machines, but here they take time of the same
processors. The program therefore divides the answers of a node by the processor time
of this node alone: this is its rate on a processor that it does not share. The rate of
two nodes is the sum of theirs. A node that waits for a lock of the database is idle
meanwhile, so the plain rates are printed too.

The result means nothing while other programs use the processors.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import sys
import tempfile
import time
import typing as t
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from example_app.nodes import store
from example_app.nodes.programs import find_programs

from . import load
from . import postgresql
from .client import Connection
from .processes import free_port
from .processes import Process
from .pushing import push_small_image
from .server import ROOT

#: The number of clients that push to each node at once.
CLIENTS: t.Final = 4


class Node(t.NamedTuple):
    """A running node."""

    port: int
    process: Process


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
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-"))
        )
        # PostgreSQL may run as another user, who needs access to its folder.
        folder.chmod(0o711)
        nodes = _start(stack, folder)
        print(f"{'requests':32} {'one node':>10} {'two nodes':>10} {'ratio':>6}")
        for title, measure in (("manifest GETs", _get), ("image pushes", _push)):
            one = _measured(nodes[:1], measure, options)
            two = _measured(nodes, measure, options)
            for name, rate in (("by processor", _unshared), ("plain", _plain)):
                rates = rate(one), rate(two)
                label, ratio = f"{title}, {name}, 1/s", rates[1] / rates[0]
                print(f"{label:32} {rates[0]:10.1f} {rates[1]:10.1f} {ratio:6.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.nodes", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of GETs")
    parser.add_argument("--images", type=int, default=100, help="pushed to each node")
    return parser.parse_args()


def _start(stack: ExitStack, folder: Path) -> list[Node]:
    url = stack.enter_context(postgresql.running(folder / "postgresql"))
    part, _, settings = store.start(find_programs(), folder / "store")
    stack.callback(part.stop)
    settings |= {
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_hex(32),
        "OCI_WORK": "null",
    }
    return [_node(stack, folder, number, settings) for number in range(2)]


def _node(
    stack: ExitStack, folder: Path, number: int, settings: dict[str, str]
) -> Node:
    port = free_port()
    instance = str(folder / f"node{number}")
    process = Process(
        [
            *("taskset", "--cpu-list", str(number), sys.executable, "-m", "gunicorn"),
            *("--config", str(ROOT / "example_app/gunicorn.conf.py")),
            *("--pythonpath", str(ROOT), "--workers", "1"),
            *("--bind", f"127.0.0.1:{port}"),
            "example_app.nodes.application:create_app()",
        ],
        folder / f"node{number}.log",
        environ={**settings, "EXAMPLE_INSTANCE": instance},
    )
    stack.callback(process.end)
    process.wait_for_port(port)
    # The tables exist, and the first request is not measured.
    _push_one(port, _token(port), "latest")
    return Node(port, process)


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
    return load.get(node.port, target, _token(node.port), options.seconds).requests


def _push(node: Node, options: argparse.Namespace) -> int:
    token = _token(node.port)

    def work(client: int) -> None:
        for number in range(options.images // CLIENTS):
            _push_one(node.port, token, f"t{node.port}-{client}-{number}")

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
    return int(options.images // CLIENTS * CLIENTS)


def _push_one(port: int, token: str, tag: str) -> None:
    with Connection(port, token) as connection:
        push_small_image(connection, "alice/bench", tag)


def _token(port: int) -> str:
    """Return the header of a token for the repository."""
    login = base64.b64encode(b"alice:wonderland").decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v2/token?scope=repository:alice/bench:pull,push",
        headers={"Authorization": f"Basic {login}"},
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310 - of this machine
        return f"Bearer {json.load(response)['token']}"


def _unshared(results: list[Result]) -> float:
    return sum(result.answers / result.cpu_seconds for result in results)


def _plain(results: list[Result]) -> float:
    return sum(result.answers / result.seconds for result in results)


if __name__ == "__main__":
    main()
