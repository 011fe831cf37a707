"""Small requests while another process commits to the registry's database.

Each commit empties the read cache (``OCI_READ_CACHE``).
"""

from __future__ import annotations

import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from . import small
from .row import Measured
from .row import Row
from .server import ROOT

if t.TYPE_CHECKING:
    from .row import Sizes
    from .server import Server

#: The commits per second of each row.
RATES: t.Final = (1, 10, 100)

#: The share of the commits that has to succeed, or else the row has no meaning.
LEAST: t.Final = 0.5


@contextmanager
def writer(database: str, rate: int) -> Iterator[None]:
    """Commit from another process for the duration of the context.

    :param database: its URL.
    :param rate: the number of commits per second.
    :raises RuntimeError: if the database is too slow for it.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.writer", database, str(rate)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    output = t.cast("t.IO[bytes]", process.stdout)
    try:
        commits = len(output.read(1))
        started = time.monotonic()
        yield
        taken = time.monotonic() - started
    finally:
        process.terminate()
        rest = process.communicate()[0]
    commits += len(rest)
    if commits < LEAST * rate * taken:
        raise RuntimeError(f"{commits} of {rate * taken:.0f} commits in {taken:.1f} s")


def _get(server: Server, sizes: Sizes, rate: int) -> Measured:
    with writer(server.database, rate):
        return small.get(server, "manifests/latest", sizes)


def _row(rate: int) -> Row:
    return Row(
        f"get-tag-writes-{rate}",
        f"GET by tag, during {rate} {'commit' if rate == 1 else 'commits'} per second",
        "1/s",
        lambda server, sizes: _get(server, sizes, rate),
        prepare=small.push_image,
    )


ROWS: t.Final = tuple(map(_row, RATES))
