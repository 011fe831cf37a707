"""The amount of work of a run, and its random seed."""

from __future__ import annotations

import os
import random
import typing as t
from dataclasses import dataclass

DATABASES: t.Final = ("sqlite", "postgresql", "mariadb")


@dataclass(frozen=True)
class Plan:
    """The amount of work of a run."""

    kills: dict[str, int]
    """The number of processes to kill, by database."""

    storm: float
    """The seconds that the collection runs among concurrent requests."""

    clients: int
    """The number of clients that push at once."""

    images: int
    """The number of images that they push."""


#: The plan of the tests marked ``real``.
SHORT: t.Final = Plan(
    kills={"sqlite": 240, "postgresql": 40, "mariadb": 40},
    storm=10,
    clients=64,
    images=200,
)
#: The plan of ``tox -e torture``.
FULL: t.Final = Plan(
    kills={"sqlite": 320, "postgresql": 80, "mariadb": 80},
    storm=60,
    clients=64,
    images=200,
)


def plan() -> Plan:
    """Return the plan that the variable ``TORTURE`` names."""
    return {"short": SHORT, "full": FULL}[os.environ.get("TORTURE", "short")]


def seed() -> int:
    """Return ``TORTURE_SEED``, or a random seed."""
    chosen = os.environ.get("TORTURE_SEED")
    return int(chosen) if chosen else random.SystemRandom().randrange(1 << 32)
