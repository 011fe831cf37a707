"""The list of repositories that a visitor may see."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from flask import render_template

from ..catalog.repository_list import Behind
from ..catalog.repository_list import Figures
from ..catalog.repository_list import Listed
from ..catalog.repository_list import Order
from ..services import services
from . import paging
from .access import may
from .access import visitor

#: How many repositories are read at once where each has to be asked about.
BATCH: t.Final = 1000

#: How often, at the most: a page may be shorter than others, and goes on.
BATCHES: t.Final = 5


@dataclass(frozen=True, slots=True)
class Row:
    """A repository as the list shows it."""

    listed: Listed
    figures: Figures
    owner: str

    @property
    def summary(self) -> str:
        """The first line of its description, without its marks."""
        lines = (line.strip("#*_ \t\r") for line in self.listed.description.split("\n"))
        return next(filter(None, lines), "")[:200]


def repositories() -> str:
    """Show what the visitor may pull from, by name or the last pushed to first."""
    order: Order = "name" if paging.parameter("sort") == "name" else "pushed"
    under = paging.parameter("under")
    search = paging.parameter("q").lower()
    found, last = visible(order, search, under)
    return render_template(
        "oci/repositories.html",
        rows=rows(found),
        order=order,
        search=search,
        under=under,
        next_page=paging.next_page(*last) if last else None,
    )


def visible(
    order: Order, search: str, under: str
) -> tuple[list[Listed], Behind | None]:
    """Return a page of what the visitor may pull, and where the next one begins.

    In one statement, if the policy has one: what it lets through is not asked about
    again, one by one.
    """
    parts = services()
    condition = parts.policy.list_filter(visitor())
    start = paging.behind()
    place = Behind(*start) if start else None
    # Without one, most of what there is may be hidden from who asks.
    size = BATCH if condition is None else paging.PAGE + 1
    found: list[Listed] = []
    for _ in range(BATCHES):
        batch = parts.catalog.repository_list.page(
            size, condition, search=search, below=under, order=order, behind=place
        )
        found += [r for r in batch if condition is not None or may("pull", r.info)]
        if len(found) > paging.PAGE or len(batch) < size:
            break
        place = batch[-1].place
    else:
        return found, place
    shown = found[: paging.PAGE]
    more = len(found) > len(shown)
    return shown, shown[-1].place if more else None


def rows(found: list[Listed]) -> list[Row]:
    """Add to some repositories how much is in them, and whose they are."""
    catalog = services().catalog
    figures = catalog.repository_list.figures([r.info.key for r in found])
    owners = catalog.users.names(r.info.owner_id for r in found)
    return [Row(r, figures[r.info.key], owners.get(r.info.owner_id, "")) for r in found]
