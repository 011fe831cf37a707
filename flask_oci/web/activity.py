"""The pulls and the size of a repository by day, as graphs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..catalog.repository_days import Day
from ..services import services

#: The number of days of the graphs.
DAYS: t.Final = 30

#: The size of a graph, in its own units.
WIDTH: t.Final = 300
HEIGHT: t.Final = 60

#: The height of the bar of a day with the fewest pulls.
_LEAST: t.Final = 2


class Bar(t.NamedTuple):
    """The bar of a day, in the units of the graph."""

    day: Day
    x: float
    height: float


@dataclass(frozen=True, slots=True)
class Activity:
    """The last days of a repository."""

    days: list[Day]

    @property
    def pulls(self) -> int:
        """The number of pulls of all days."""
        return sum(day.pulls for day in self.days)

    @property
    def is_measured(self) -> bool:
        """Whether the size of a day is known."""
        return any(day.bytes is not None for day in self.days)

    @property
    def bars(self) -> list[Bar]:
        """A bar for each day with a pull, the highest for the most pulls."""
        most = max((day.pulls for day in self.days), default=0) or 1
        return [
            Bar(
                day,
                round(number * WIDTH / DAYS, 2),
                round(max(HEIGHT * day.pulls / most, _LEAST), 2),
            )
            for number, day in enumerate(self.days)
            if day.pulls
        ]

    @property
    def line(self) -> str:
        """The points of the line of the size, in steps from day to day."""
        sizes = [day.bytes for day in self.days if day.bytes is not None]
        most, first = max(sizes, default=0) or 1, len(self.days) - len(sizes)
        points = []
        for number, size in enumerate(sizes, start=first):
            y = round(HEIGHT - (HEIGHT - _LEAST) * size / most, 2)
            left, right = (round(n * WIDTH / DAYS, 2) for n in (number, number + 1))
            points += [f"{left},{y}", f"{right},{y}"]
        return " ".join(points)

    @property
    def area(self) -> str:
        """The points of the area below the line of the size."""
        line = self.line.split()
        if not line:
            return ""
        left = line[0].partition(",")[0]
        return " ".join([f"{left},{HEIGHT}", *line, f"{WIDTH},{HEIGHT}"])

    @property
    def rows(self) -> list[Day]:
        """The days with a pull or another size than the day before, the latest
        first."""
        found, before = [], None
        for day in self.days:
            if day.pulls or day.bytes != before:
                found.append(day)
            before = day.bytes
        return found[::-1]


def of(repository_id: int) -> Activity:
    """Return the activity of a repository."""
    return Activity(services().catalog.repository_days.latest(repository_id, DAYS))
