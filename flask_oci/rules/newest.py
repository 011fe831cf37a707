"""The orders in which retention rules compare tags: which tags are the newest."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from datetime import datetime

from ..spec.tag_order import version

if t.TYPE_CHECKING:
    from .retention import Tagged

#: A newer tag has a later push or move, a later creation of its image, or a higher
#: version.
Order = t.Literal["push", "creation", "version"]

ORDERS: t.Final[tuple[Order, ...]] = t.get_args(Order)


def newest_first(
    tags: Iterable[Tagged], order: Order, created_at: Callable[[str], datetime | None]
) -> list[Tagged]:
    """Return tags in an order. Among equal times, the higher version is newer.

    :param created_at: returns the time at which the image with a digest was created.
        An image without one counts from its push.
    """

    def age(tag: Tagged) -> t.Any:
        number = version(tag.name)
        if order == "version":
            return number, tag.moved_at
        if order == "creation":
            return created_at(tag.digest) or tag.moved_at, number
        return tag.moved_at, number

    return sorted(tags, key=age, reverse=True)


def in_words(order: Order) -> str:
    """Return an order in words; empty for the order of pushes."""
    return "" if order == "push" else f" by {order}"
