"""A row of the table, and the sizes that it measures."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from .server import Server


@dataclass(frozen=True)
class Sizes:
    """The amounts that are measured."""

    large: int = 256
    """The size of a large blob, in MiB."""

    seconds: int = 3
    """The duration of repeated small requests."""

    images: int = 24
    """The number of small images that are pushed."""

    tags: int = 10_000
    repositories: int = 10_000
    readable: int = 100
    """The number of repositories that the caller may pull."""

    referrers: int = 1_000


class Measured(t.NamedTuple):
    """The result of one turn of one registry."""

    value: float
    done: float
    """The number of requests, images or MiB, to divide the processor time by."""


Measure = Callable[["Server", Sizes], Measured]
Prepare = Callable[["Server", Sizes], None]


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    key: str
    """The name that chooses it at the command line."""

    title: str
    unit: str
    measure: Measure
    prepare: Prepare | None = None
    """Called once for each registry, before the row is measured."""

    less_is_better: bool = False
