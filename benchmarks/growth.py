"""``python -m benchmarks.growth``: the queries that could grow with a registry.

It fills a temporary PostgreSQL server with the rows of a large registry, and prints the
time of each query: of the statement that reads all rows, and of the registry.
"""

from __future__ import annotations

import argparse
import os
import time
import typing as t
from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from flask_oci.clock import utcnow
from flask_oci.operations.gc import GarbageCollector
from flask_oci.spec.digest import Digest

from . import growth_rows
from . import postgresql

if t.TYPE_CHECKING:
    from flask import Flask

#: The longest time of one statement, in seconds.
LIMIT: t.Final = 180

#: The number of repositories that change before a collection.
CHANGED: t.Final = 100


class Row(t.NamedTuple):
    """A query, and the statement that answers it by reading all rows."""

    title: str
    ask: Callable[[], object]
    full: str | None = None


def main() -> None:
    """Fill the database, and print the table."""
    options = _options()
    with (
        postgresql.temporary_folder() as folder,
        postgresql.running(folder / "postgresql") as url,
    ):
        os.environ["BENCHMARK_FOLDER"] = str(folder)
        os.environ["BENCHMARK_DATABASE"] = url
        _measure(options)


def _measure(options: argparse.Namespace) -> None:
    from . import host

    app = host.create_app()
    with app.app_context():
        host.db.create_all()
        app.extensions["oci"].content.storage_identity.verify()
        # It records the settings. After a change of them, it would visit everything.
        _collected(app, 0)
        started = time.perf_counter()
        growth_rows.fill(
            host.db.session, options.repositories, options.blobs, options.links
        )
        print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
        first = _collected(app)
        print(f"first collection, {CHANGED} repositories: {first}", flush=True)
        started = time.perf_counter()
        growth_rows.settle(host.db.session)
        catalog = app.extensions["oci"].catalog
        catalog.usage.begin_totals()
        print(f"summaries in {time.perf_counter() - started:.0f} s", flush=True)
        for row in _rows(app):
            full = "" if row.full is None else _timed_statement(row.full)
            print(f"{row.title:54} {full:>12} {_timed(row.ask):>12}", flush=True)


def _rows(app: Flask) -> list[Row]:
    catalog = app.extensions["oci"].catalog
    usage, popular = catalog.usage, Digest.parse(growth_rows.popular_digest())
    before = utcnow() - timedelta(days=1)
    return [
        Row(
            "totals, at each scrape of the metrics",
            usage.totals,
            growth_rows.TOTALS,
        ),
        Row(
            "usage by repository, the first page",
            lambda: usage.by_repository(51, 0),
            growth_rows.BY_REPOSITORY,
        ),
        Row("usage by repository, of one owner", lambda: usage.by_repository(51, 0, 7)),
        Row("totals of one owner", lambda: usage.totals_of(7)),
        Row("usage by owner", lambda: usage.by_owner(50), growth_rows.BY_OWNER),
        Row(
            "reclaimable bytes",
            lambda: usage.collectable(before),
            growth_rows.COLLECTABLE,
        ),
        Row(
            "unlinked blobs, in a collection",
            lambda: list(catalog.blob_garbage.unlinked(before, {})),
            growth_rows.UNLINKED,
        ),
        Row(
            "repositories to visit, if none has changed",
            lambda: list(catalog.collection_schedule.repositories()),
        ),
        Row("a collection, if nothing has changed", lambda: _collected(app, 0)),
        Row(
            f"a collection, after changes of {CHANGED} repositories",
            lambda: _collected(app),
        ),
        Row(
            "holders of a layer of 1 in 25 repositories",
            lambda: catalog.blobs.holders(popular, None, None),
            growth_rows.HOLDERS,
        ),
        Row(
            "dangling references, in a check",
            lambda: list(catalog.consistency.dangling()),
            growth_rows.DANGLING,
        ),
        Row("comparison of the counters, in a check", usage.drift),
        Row(
            "comparison of the sizes, in a check",
            lambda: list(usage.wrongly_measured()),
        ),
    ]


def _collected(app: Flask, count: int = CHANGED) -> str:
    """Run a collection after a change of some repositories, and return its time."""
    from . import host

    growth_rows.change(host.db.session, count)
    parts = app.extensions["oci"]
    return _timed(GarbageCollector(parts.config, parts.catalog, parts.storage).run)


def _timed(ask: Callable[[], object]) -> str:
    from . import host

    started = time.perf_counter()
    ask()
    taken = time.perf_counter() - started
    host.db.session.commit()
    return f"{1000 * taken:.1f} ms"


def _timed_statement(statement: str) -> str:
    from . import host

    host.db.session.execute(sa.text(f"SET statement_timeout = '{LIMIT}s'"))
    try:
        return _timed(lambda: host.db.session.execute(sa.text(statement)).all())
    except sa.exc.OperationalError:
        host.db.session.rollback()
        return f"> {LIMIT} s"
    finally:
        host.db.session.execute(sa.text("SET statement_timeout = 0"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__
    )
    parser.add_argument("--repositories", type=int, default=100_000)
    parser.add_argument("--blobs", type=int, default=500_000)
    parser.add_argument(
        "--links", type=int, default=20, help="blobs of each repository, at least 8"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
