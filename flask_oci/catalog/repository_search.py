"""Searches for repositories, the orders of their lists, and positions in these."""

from __future__ import annotations

import typing as t
from datetime import datetime

#: The possible orders of a repository list. All but the order by name begin with the
#: latest push, the most pulls or the largest size.
Order = t.Literal["name", "pushed", "pulls", "size"]

ORDERS: t.Final[tuple[Order, ...]] = t.get_args(Order)


class Place(t.NamedTuple):
    """The position of a repository in a list of any order."""

    name: str
    pushed_at: datetime
    pulls: int
    bytes: int


class Search(t.NamedTuple):
    """A search for repositories."""

    text: str = ""
    """Text that the names contain, in lower case."""

    below: str = ""
    """A path; find only the repository of that name and those whose names begin with it
    and a slash."""

    kind: str = ""
    """The key of a kind of content that the repositories have."""

    visibility: str = ""
    """The visibility of the repositories."""

    platform: str = ""
    """A platform that the repositories have images for, such as ``linux/arm64``. It
    includes its variants, such as ``linux/arm64/v8``."""

    def matches(self, name: str) -> bool:
        """Return True if the search finds a name. The database decides the same."""
        is_below = not self.below or f"{name}/".startswith(f"{self.below}/")
        return is_below and self.text in name


#: Finds all repositories.
EVERYTHING: t.Final = Search()
