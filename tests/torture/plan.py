"""How much is done, and with which dice."""

from __future__ import annotations

import os
import random
import typing as t
from dataclasses import dataclass

DATABASES: t.Final = ("sqlite", "postgresql", "mariadb")


@dataclass(frozen=True)
class Plan:
    """How long it takes to be satisfied."""

    kills: dict[str, int]
    """How many processes are killed, by database."""

    storm: float
    """For how many seconds the collection runs against a storm."""

    clients: int
    """How many clients push at once."""

    images: int
    """How many images they push."""


#: What runs with the other tests marked ``real``.
SHORT: t.Final = Plan(
    kills={"sqlite": 240, "postgresql": 40, "mariadb": 40},
    storm=10,
    clients=64,
    images=200,
)
#: What ``tox -e torture`` runs.
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
    """Return ``TORTURE_SEED``, or a number that nobody has thought of."""
    chosen = os.environ.get("TORTURE_SEED")
    return int(chosen) if chosen else random.SystemRandom().randrange(1 << 32)
