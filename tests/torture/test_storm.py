"""The collection among many concurrent pushes, mounts and deletes."""

from __future__ import annotations

import time

import pytest

from .plan import plan
from .world import busy
from .world import World

pytestmark = pytest.mark.real

#: The number of users who push at once.
PEOPLE = 8

#: The seconds of concurrent requests between two complete checks.
GUST = 15.0


def test_collection_among_requests_deletes_only_garbage(world: World) -> None:
    """Promised content stays, and content that has become garbage is deleted."""
    people = world.people(PEOPLE)
    world.server.start_collector()
    end = time.monotonic() + plan().storm
    while (left := end - time.monotonic()) > 0:
        with busy(people):
            time.sleep(min(GUST, left))
        world.verify(world.ledger.touched())
    assert any(world.server.collections()), "the collection had nothing to do"
    world.verify_everything()
