"""``python -m benchmarks.downloads``: the processor time of a node for a download.

It runs the registry in each mode of ``OCI_DOWNLOADS`` on gunicorn, with its blobs in
versitygw, and compares the GET of a blob with that of a manifest. Only the processor
time of gunicorn counts: with ``nginx`` and ``redirect``, another program sends the
bytes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import typing as t
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from .ours import FlaskOci
from .processes import free_port
from .processes import Process
from .pushing import digest_of
from .pushing import push_blob
from .pushing import push_small_image
from .small import REPOSITORY

KEYS: t.Final = {"ROOT_ACCESS_KEY": "forge", "ROOT_SECRET_KEY": "forge-secret-key"}
MODES: t.Final = ("stream", "nginx", "redirect")

#: The sizes of the blobs in bytes.
SMALL: t.Final = 4 * 1024
LARGE: t.Final = 4 * 1024 * 1024


class Node(FlaskOci):
    """A node with its blobs in a store.

    :param mode: the value of ``OCI_DOWNLOADS``.
    :param store: the port of the store.
    """

    def __init__(self, folder: Path, mode: str, store: int) -> None:
        super().__init__(folder)
        self.name = mode
        self.paths: dict[str, str] = {}
        self._settings = {
            "OCI_DOWNLOADS": mode,
            "OCI_STORAGE": f"s3://blobs/{mode}?endpoint=http://127.0.0.1:{store}",
            "OCI_STORAGE_CREDENTIALS": {
                "access_key": KEYS["ROOT_ACCESS_KEY"],
                "secret_key": KEYS["ROOT_SECRET_KEY"],
            },
        }

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the application."""
        settings = json.dumps(self._settings)
        return {**super().environment, "BENCHMARK_SETTINGS": settings}

    def fill(self) -> None:
        """Push an image and two blobs."""
        with self.connect(REPOSITORY) as connection:
            manifest = push_small_image(connection, REPOSITORY, "latest")
            self.paths["manifest"] = f"manifests/{digest_of(manifest)}"
            for name, size in (("small", SMALL), ("large", LARGE)):
                content = bytes(range(256)) * (size // 256)
                digest = push_blob(connection, REPOSITORY, content)
                self.paths[name] = f"blobs/{digest}"

    def cost(self, name: str, count: int) -> float:
        """Return the processor time of a GET in milliseconds.

        :param name: a key of :attr:`paths`.
        :param count: how often it is repeated, by one client.
        """
        target = f"/v2/{REPOSITORY}/{self.paths[name]}"
        with self.connect(REPOSITORY) as connection:
            before = self.processes.cpu_seconds()
            for _ in range(count):
                connection.request("GET", target).expect(200, 307)
            return (self.processes.cpu_seconds() - before) / count * 1000


def main() -> None:
    """Measure each mode, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.downloads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=300, help="requests in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, ExitStack() as stack:
        store = _store(Path(name, "store"), stack)
        nodes = []
        for mode in MODES:
            node = Node(Path(name, mode), mode, store)
            stack.enter_context(node)
            node.fill()
            nodes.append(node)
        _print(nodes, options.rounds, options.count)


def _print(nodes: list[Node], rounds: int, count: int) -> None:
    names = ("manifest", "small", "large")
    costs: dict[tuple[str, str], list[float]] = {}
    # The modes take turns, because the load of the machine changes.
    for _ in range(rounds):
        for node in nodes:
            for name in names:
                found = costs.setdefault((node.name, name), [])
                found.append(node.cost(name, count))
    print("ms of processor time for a GET, and the ratio to that of the manifest")
    print(f"{'mode':10}{'manifest':>10}{'4 KiB':>18}{'4 MiB':>18}")
    for node in nodes:
        base, *blobs = (median(costs[node.name, name]) for name in names)
        cells = "".join(f"{cost:10.2f} ({cost / base:5.2f})" for cost in blobs)
        print(f"{node.name:10}{base:10.2f}{cells}")


def _store(folder: Path, stack: ExitStack) -> int:
    """Start versitygw with an empty bucket, and return its port.

    :raises RuntimeError: if it is not installed.
    """
    program = shutil.which("versitygw")
    if program is None:
        raise RuntimeError("versitygw is not installed: see .ci/install")
    Path(folder, "blobs").mkdir(parents=True)
    port = free_port()
    process = Process(
        [program, "--port", f"127.0.0.1:{port}", "posix", str(folder)],
        folder.with_suffix(".log"),
        environ=KEYS,
    )
    stack.callback(process.end)
    process.wait_for_port(port)
    return port


if __name__ == "__main__":
    main()
