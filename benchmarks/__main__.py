"""``python -m benchmarks``: run registries, measure them, print a table."""

from __future__ import annotations

import argparse
import signal
import typing as t
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path

from . import bulk
from . import lists
from . import plot
from . import postgresql
from . import report
from . import small
from . import writes
from .registries import create
from .registries import NAMES
from .row import Row
from .row import Sizes
from .table import measure

ROWS: t.Final = (*bulk.ROWS, *small.ROWS, *writes.ROWS, *lists.ROWS)


def main() -> None:
    """Measure the rows and registries that the command line names."""
    options = _options()
    rows = _chosen(options.rows)
    sizes = Sizes(
        large=options.large,
        seconds=options.seconds,
        images=options.images,
        tags=options.entries,
        repositories=options.entries,
    )
    # A SIGTERM also stops the registries and deletes their gigabytes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        folder = stack.enter_context(postgresql.temporary_folder(options.folder))
        servers = [
            stack.enter_context(create(kind, folder, options.go_bin, stack))
            for kind in options.registries
        ]
        for server in servers:
            print(f"{server.name}: {server.version()}")
        table = measure(servers, rows, options.rounds, sizes)
        print(f"\n{report.text(rows, servers, table)}")
        print(f"\n{report.processors(rows, servers, table)}")
        if options.plot:
            Path(options.plot).write_text(plot.svg(rows, servers, table))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help=f"patterns of rows (default: all): {', '.join(r.key for r in ROWS)}",
    )
    parser.add_argument(
        "--registries",
        nargs="+",
        choices=NAMES,
        default=["distribution", "distribution-tokens", "sqlite", "example", "fast"],
        help="the others are compared with the first",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--large", type=_at_least(4), default=256, help="size of a large blob, in MiB"
    )
    parser.add_argument("--seconds", type=int, default=3, help="of small requests")
    parser.add_argument("--images", type=int, default=24, help="small images to push")
    entries = _at_least(Sizes.readable)
    parser.add_argument("--entries", type=entries, default=10_000, help="in long lists")
    parser.add_argument("--folder", help="a folder on the disk to measure")
    parser.add_argument("--go-bin", help="the folder of Distribution's registry")
    parser.add_argument("--plot", help="an SVG file for a plot of the ratios")
    return parser.parse_args()


def _at_least(least: int) -> t.Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return int(text)

    return number


def _chosen(patterns: list[str]) -> list[Row]:
    return [
        row
        for row in ROWS
        if not patterns or any(fnmatchcase(row.key, p) for p in patterns)
    ]


if __name__ == "__main__":
    main()
