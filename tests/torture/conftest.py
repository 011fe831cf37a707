from __future__ import annotations

import contextlib
import itertools
import sys
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.database_servers import SERVERS
from tests.support.forge import unavailable

from . import report
from .plan import DATABASES
from .plan import seed
from .report import COUNTS
from .server import Server

# pytest calls it for the tests of this folder.
from .server_logs import pytest_runtest_makereport  # noqa: F401
from .world import World


@pytest.fixture(name="seed", scope="session")
def _seed() -> int:
    """The seed of all random numbers."""
    return seed()


@pytest.fixture(name="make_database", scope="session")
def _servers_of_databases() -> t.Iterator[t.Callable[[str], str | None]]:
    """Return a function that creates an empty database, and returns its URL."""
    with contextlib.ExitStack() as stack:
        started: dict[str, str] = {}
        serial = itertools.count()

        def make(database: str) -> str | None:
            if database == "sqlite":
                return None
            if database not in started:
                # No test cuts its power, so it need not wait for the disk.
                server = SERVERS[database](durable=False)
                started[database] = stack.enter_context(server)
            return empty_database(started[database], f"torture{next(serial)}")

        yield make


@pytest.fixture(name="database", params=DATABASES)
def _database(request: pytest.FixtureRequest) -> str:
    """The kind of the forge's database."""
    return str(request.param)


@pytest.fixture(name="server")
def _server(
    database: str, tmp_path: Path, make_database: t.Callable[[str], str | None]
) -> t.Iterator[Server]:
    """A running forge on a database of that kind."""
    if not sys.platform.startswith("linux"):
        unavailable("processes are found in Linux's /proc")
    with Server(tmp_path, make_database(database)) as server:
        server.start()
        yield server


@pytest.fixture(name="make_world")
def _make_world(
    request: pytest.FixtureRequest, database: str, server: Server, seed: int
) -> t.Iterator[t.Callable[..., World]]:
    """Return a function that creates a world for a test, of the size that it needs."""
    worlds: list[World] = []

    def make_world(**size: int) -> World:
        worlds.append(World(server, f"{seed}/{request.node.name}", **size))
        return worlds[-1]

    print(f"Random numbers start from TORTURE_SEED={seed}.")
    yield make_world
    for world in worlds:
        COUNTS[database].update(world.ledger.counts)


@pytest.fixture(name="world")
def _world(make_world: t.Callable[..., World]) -> World:
    """A forge, its simulated users, and the ledger of their answers."""
    return make_world()


def empty_database(url: str, name: str) -> str:
    """Create another database on a server, and return its URL."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the counts of kills, faults and pushes."""
    if COUNTS:
        terminalreporter.section("torture")
        terminalreporter.write("".join(f"{line}\n" for line in report.lines()))
        lost = len(terminalreporter.stats.get("failed", ()))
        terminalreporter.line(f"Tests that lost data, or failed otherwise: {lost}")
