from __future__ import annotations

import typing as t

import pytest

from tests.conftest import MakeApp
from tests.support.two_nodes import World


@pytest.fixture(name="world")
def _world(make_app: MakeApp) -> t.Iterator[World]:
    """Two nodes on one database and one bucket."""
    world = World(make_app)
    yield world
    world.clock.stop()
