from __future__ import annotations

import contextlib
import sys
import typing as t
from pathlib import Path

import pytest

from tests.support.database_servers import postgresql
from tests.support.forge import unavailable
from tests.torture import report
from tests.torture.plan import seed
from tests.torture.report import COUNTS

# pytest calls it for the tests of this folder.
from tests.torture.server_logs import pytest_runtest_makereport  # noqa: F401
from tests.torture.world import World

from .namespace import Namespace
from .namespace import reason_without
from .nodes import Nodes


@pytest.fixture(name="settings")
def _settings() -> dict[str, str]:
    """Additions to the environment of the nodes, which a module may replace."""
    return {}


@pytest.fixture(name="nodes")
def _nodes(
    tmp_path: Path, settings: dict[str, str], request: pytest.FixtureRequest
) -> t.Iterator[Nodes]:
    """Two running nodes.

    With the parameter True, the first one is in its own network namespace.
    """
    if not sys.platform.startswith("linux"):
        unavailable("processes are found in Linux's /proc")
    with contextlib.ExitStack() as stack:
        namespace = None
        if getattr(request, "param", False):
            if reason := reason_without():
                unavailable(reason)
            namespace = stack.enter_context(Namespace(0))
        # No test cuts its power, so it need not wait for the disk.
        url = stack.enter_context(postgresql(durable=False))
        nodes = stack.enter_context(Nodes(tmp_path, url, settings, namespace))
        nodes.start()
        yield nodes


@pytest.fixture(name="world")
def _world(nodes: Nodes, request: pytest.FixtureRequest) -> t.Iterator[World]:
    """The nodes, their simulated users, and the ledger of their answers."""
    chosen = seed()
    print(f"Random numbers start from TORTURE_SEED={chosen}.")
    world = World(nodes, f"{chosen}/{request.node.name}")
    yield world
    COUNTS[request.node.name].update(world.ledger.counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the counts of faults and pushes."""
    if COUNTS:
        terminalreporter.section("scale")
        terminalreporter.write("".join(f"{line}\n" for line in report.lines()))
