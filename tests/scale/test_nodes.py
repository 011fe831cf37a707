"""Faults of nodes, the store and the database: no acknowledged write is lost."""

from __future__ import annotations

import os
import random
import time
import typing as t

import pytest

from tests.support.database_servers import restart_postgresql
from tests.torture.world import busy
from tests.torture.world import World

from .nodes import crash_postgresql
from .nodes import Nodes
from .nodes import NUMBER
from .nodes import UPKEEP

pytestmark = pytest.mark.real

#: The number of users who push at once.
PEOPLE: t.Final = 6

#: The longest time between two faults, in seconds.
LONGEST_PAUSE: t.Final = 0.8

#: The longest time that a node, the store or the network stands still, in seconds. It
#: is shorter than the grace period of the tests, after which objects are deleted.
LONGEST_STOP: t.Final = 2.5

#: The number of faults between two complete checks.
FAULTS_AT_A_TIME: t.Final = 9

#: The seconds after which a test begins no further round of faults.
DURATION: t.Final = {"short": 0, "full": 270}[os.environ.get("TORTURE", "short")]


def test_faults_lose_no_acknowledged_write(world: World, nodes: Nodes) -> None:
    """Nodes are killed and paused, the store is killed, and the database crashes and
    restarts."""
    faults: dict[t.Callable[[Nodes, random.Random], None], int] = {
        kill_worker: 4,
        kill_node: 2,
        pause_node: 4,
        kill_store: 3,
        crash_database: 2,
        restart_database: 2,
        cut_link: 3,
        kill_upkeep: 4,
    }
    run(world, nodes, faults)


@pytest.mark.skipif(not DURATION, reason="tox -e scale runs it")
@pytest.mark.parametrize(
    "nodes", [False, True], ids=["proxy", "namespace"], indirect=True
)
def test_partitions_lose_no_acknowledged_write(world: World, nodes: Nodes) -> None:
    """A node reaches the database and its clients, but not the store: a proxy stops
    forwarding, or the link of the node's network namespace is taken down."""
    run(world, nodes, {cut_link: 6, kill_worker: 1, kill_upkeep: 1}, DURATION / 2)


def run(
    world: World,
    nodes: Nodes,
    faults: t.Mapping[t.Callable[[Nodes, random.Random], None], int],
    duration: float = DURATION,
) -> None:
    """Inject random faults while users push and two collections and a migration run.

    :param duration: the seconds after which no further round of faults begins.
    """
    people = world.people(PEOPLE)
    for name in UPKEEP:
        nodes.start_upkeep(name)
    end = time.monotonic() + duration
    while True:
        with busy(people):
            for _ in range(FAULTS_AT_A_TIME):
                time.sleep(world.rng.uniform(0, LONGEST_PAUSE))
                fault = world.rng.choices(list(faults), list(faults.values()))[0]
                fault(nodes, world.rng)
                world.ledger.count("faults")
                world.ledger.count(fault.__name__.replace("_", " "))
        world.verify(world.ledger.touched())
        if time.monotonic() >= end:
            break
    world.verify_everything()
    assert nodes.migrated()
    assert nodes.collections()


def kill_worker(nodes: Nodes, rng: random.Random) -> None:
    """Kill a worker; its node starts another."""
    rng.choice(nodes.nodes).kill_worker(rng.choice)


def kill_node(nodes: Nodes, rng: random.Random) -> None:
    """Kill a node, and start it again."""
    node = rng.choice(nodes.nodes)
    nodes.reachable.remove(node.port)
    node.kill()
    node.start()
    nodes.reachable.add(node.port)


def pause_node(nodes: Nodes, rng: random.Random) -> None:
    """Stop all processes of a node, and continue them."""
    with nodes.pause(rng.randrange(NUMBER)):
        time.sleep(rng.uniform(0, LONGEST_STOP))


def kill_store(nodes: Nodes, rng: random.Random) -> None:
    """Kill the store, and start it again."""
    nodes.store.kill()
    time.sleep(rng.uniform(0, LONGEST_STOP))
    nodes.store.start()


def crash_database(nodes: Nodes, rng: random.Random) -> None:
    """Let PostgreSQL crash and recover."""
    crash_postgresql(nodes.database)


def restart_database(nodes: Nodes, rng: random.Random) -> None:
    """Restart PostgreSQL as an operator does: its clients lose their connections, and
    cannot connect meanwhile."""
    restart_postgresql(nodes.database)


def kill_upkeep(nodes: Nodes, rng: random.Random) -> None:
    """Kill a collection or the migration, and start it again."""
    name = rng.choice(list(UPKEEP))
    nodes.kill_upkeep(name)
    nodes.start_upkeep(name)


def cut_link(nodes: Nodes, rng: random.Random) -> None:
    """Cut a node off from the store."""
    link = rng.choice(nodes.links)
    link.cut()
    time.sleep(rng.uniform(0, LONGEST_STOP))
    link.mend()
