"""What a row of the table is."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from .server import Server


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    large: int = 256
    """MiB of a large blob."""

    seconds: int = 3
    """For how long small requests are repeated."""

    images: int = 24
    """How many small images are pushed."""

    tags: int = 10_000
    repositories: int = 10_000
    readable: int = 100
    """How many of the repositories who asks may pull."""

    referrers: int = 1_000


class Measured(t.NamedTuple):
    """What one turn of one registry gave."""

    value: float
    done: float
    """How much was done in all, to share the processors' time among."""


Measure = Callable[["Server", Sizes], Measured]
Prepare = Callable[["Server", Sizes], None]


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    key: str
    """By which it is chosen."""

    title: str
    unit: str
    measure: Measure
    prepare: Prepare | None = None
    """Called once for each registry, before anything of the row is measured."""

    less_is_better: bool = False
