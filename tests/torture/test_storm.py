"""Collection against a storm of pushes, mounts and deletes."""

from __future__ import annotations

import time

import pytest

from .plan import plan
from .world import busy
from .world import World

pytestmark = pytest.mark.real

#: How many people push at once.
PEOPLE = 8

#: How many seconds of storm there are before everybody rests and all is looked at.
GUST = 15.0


def test_collection_in_a_storm(world: World) -> None:
    """Nothing that was promised is taken, and what is garbage afterwards goes."""
    people = world.people(PEOPLE)
    world.server.start_collector()
    end = time.monotonic() + plan().storm
    while (left := end - time.monotonic()) > 0:
        with busy(people):
            time.sleep(min(GUST, left))
        world.verify(world.ledger.touched())
    assert any(world.server.collections()), "the collection had nothing to do"
    world.verify_everything()
