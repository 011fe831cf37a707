"""The list of repositories that the visitor may pull from."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalog.repository_list import Behind
from ..catalog.repository_list import EVERYTHING
from ..catalog.repository_list import Figures
from ..catalog.repository_list import Listed
from ..catalog.repository_list import Order
from ..catalog.repository_list import Search
from ..http.readable import BATCH_SIZE
from ..http.readable import first_entries
from ..http.readable import MAX_BATCHES
from ..services import services
from . import paging
from .access import may
from .access import visitor
from .rendering import Page
from .rendering import render


@dataclass(frozen=True, slots=True)
class Row:
    """A repository in the list."""

    listed: Listed
    figures: Figures
    owner: str

    @property
    def summary(self) -> str:
        """The first line of the description, without Markdown characters."""
        lines = (line.strip("#*_ \t\r") for line in self.listed.description.split("\n"))
        return next(filter(None, lines), "")[:200]


def repositories() -> Page:
    """Show the visitor's list of repositories, by name or by their last push."""
    order: Order = "name" if paging.parameter("sort") == "name" else "pushed"
    search = Search(paging.parameter("q").lower(), paging.parameter("under"))
    found, last = visible(order, search)
    return render(
        "oci/repositories.html",
        rows=rows(found),
        order=order,
        search=search.text,
        under=search.below,
        next_page=paging.next_sealed(*last) if last else None,
    )


def visible(order: Order, search: Search) -> tuple[list[Listed], Behind | None]:
    """Return one page of the visitor's list, and the position of the next page.

    One SQL statement does it if the policy has a filter for lists. Repositories that
    pass the filter are not checked one by one. Without a filter, the search follows the
    policy, so that the work does not tell whether a hidden repository matches.
    """
    parts = services()
    condition = parts.policy.list_filter(visitor())
    start = paging.sealed()
    place = Behind(*start) if start else None
    in_database = EVERYTHING if condition is None else search

    def read(size: int, previous: Listed | None) -> list[Listed]:
        return parts.catalog.repository_list.page(
            size,
            condition,
            search=in_database,
            order=order,
            behind=previous.place if previous else place,
        )

    def is_found(listed: Listed) -> bool:
        info = listed.info
        return condition is not None or (
            may("pull", info) and search.matches(info.name)
        )

    # Without a filter, most repositories may be hidden from the visitor.
    size = BATCH_SIZE if condition is None else paging.PAGE + 1
    found, last = first_entries(paging.PAGE + 1, size, read, is_found, MAX_BATCHES)
    page = found[: paging.PAGE]
    if len(found) > len(page):
        return page, page[-1].place
    return page, last.place if last else None


def rows(page: list[Listed]) -> list[Row]:
    """Return the rows of a page, with figures and the names of owners."""
    catalog = services().catalog
    figures = catalog.repository_list.figures([r.info.key for r in page])
    owners = catalog.users.names(r.info.owner_id for r in page)
    return [Row(r, figures[r.info.key], owners.get(r.info.owner_id, "")) for r in page]
