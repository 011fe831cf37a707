"""Kills: no acknowledged write is lost, and every push succeeds in the end."""

from __future__ import annotations

import random
import time

import pytest

from .plan import plan
from .server import Server
from .world import busy
from .world import World

pytestmark = pytest.mark.real

#: The number of users who push at once.
PEOPLE = 6

#: The number of kills between two complete checks.
KILLS_AT_A_TIME = 20

#: The longest time between two kills, in seconds.
LONGEST_PAUSE = 0.4

#: The targets of kills, with their weights. A server takes seconds to start again.
WEIGHTS = {"worker": 40, "collection": 9, "server": 1}


def test_kill_at_random_moment_loses_no_acknowledged_write(
    world: World, database: str
) -> None:
    """Workers, the server and the collection are killed at random moments."""
    people = world.people(PEOPLE)
    world.server.start_collector()
    for _ in range(plan().kills[database] // KILLS_AT_A_TIME):
        with busy(people):
            for _ in range(KILLS_AT_A_TIME):
                time.sleep(world.rng.uniform(0, LONGEST_PAUSE))
                kill_something(world.server, world.rng)
                world.ledger.count("kills")
        world.verify(world.ledger.touched())
    world.verify_everything()


def kill_something(server: Server, rng: random.Random) -> None:
    """Kill a process without warning, and start its replacement."""
    what = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if what == "worker":
        server.kill_worker(rng.choice)
    elif what == "collection":
        server.kill_collector()
        server.start_collector()
    else:
        server.kill()
        server.start()
