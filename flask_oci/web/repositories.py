"""The list of repositories that the visitor may pull from."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from flask import request
from flask import url_for

from ..catalog.manifest_traits import ContentKinds
from ..catalog.repository_list import Figures
from ..catalog.repository_list import Listed
from ..catalog.repository_search import EVERYTHING
from ..catalog.repository_search import Order
from ..catalog.repository_search import ORDERS
from ..catalog.repository_search import Search
from ..core import artifact_types
from ..http.repository_pages import Caller
from ..http.repository_pages import MAX_COUNTED
from ..http.repository_pages import Position
from ..http.repository_pages import RepositoryPages
from ..http.repository_pages import seal
from ..http.repository_pages import unseal
from ..rules.visibility import VISIBILITIES
from ..services import services
from ..spec.reference import is_name
from . import paging
from .access import may
from .access import sees_path
from .access import visitor
from .rendering import announce_feed
from .rendering import Page
from .rendering import render

#: The order of the list, unless the visitor chooses another.
DEFAULT_ORDER: t.Final[Order] = "pushed"

#: The platforms that the page offers. A list of those that are stored would reveal the
#: content of hidden repositories.
PLATFORMS: t.Final = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/386",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
)

#: The number of repositories that the front page shows as the most pulled ones.
POPULAR: t.Final = 6

#: The number of platforms of a repository in the list.
MAX_PLATFORMS: t.Final = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A repository in the list."""

    listed: Listed
    figures: Figures
    owner: str
    content: ContentKinds

    @property
    def summary(self) -> str:
        """The first line of the description, without Markdown characters."""
        lines = (line.strip("#*_ \t\r") for line in self.listed.description.split("\n"))
        return next(filter(None, lines), "")[:200]

    @property
    def kinds(self) -> list[artifact_types.ArtifactKind]:
        """The kinds of its content, in the order of the filter."""
        return [k for k in artifact_types.LISTED if k.key in self.content.kinds]

    @property
    def platforms(self) -> list[str]:
        """The first platforms of its images."""
        return self.content.platforms[:MAX_PLATFORMS]

    @property
    def more_platforms(self) -> int:
        """The number of the other platforms."""
        return len(self.content.platforms) - len(self.platforms)


def repositories() -> Page:
    """Show the visitor's list of repositories."""
    wanted, order, by = search(), _order(), caller()
    page = RepositoryPages(by, wanted, order).page(
        paging.PAGE, _position(), counted=True
    )
    is_front = visitor() is None and not any(request.args.values())
    feed = _feed_address(wanted)
    announce_feed(feed)
    return render(
        "oci/repositories.html",
        rows=rows(page.found),
        order=order,
        search=wanted.text,
        under=wanted.below,
        has_rules_page=is_name(wanted.below) and sees_path(wanted.below),
        filters=wanted,
        is_filtered=wanted != Search(below=wanted.below),
        kinds=artifact_types.LISTED,
        visibilities=VISIBILITIES,
        platforms=PLATFORMS,
        next_page=_address(page.next),
        previous_page=_address(page.previous),
        is_first=_position() is None,
        is_front=is_front and bool(page.found),
        popular=_popular(by) if is_front and page.total else [],
        total=page.total,
        most_counted=MAX_COUNTED,
        feed=feed,
    )


def _popular(by: Caller) -> list[Row]:
    """Return the repositories with the most pulls, if the database finds them alone."""
    pages = RepositoryPages(by, EVERYTHING, "pulls")
    if not pages.is_exact:
        return []
    return rows([r for r in pages.page(POPULAR, None).found if r.pull_count])


def caller() -> Caller:
    """Return the visitor as the caller of lists."""
    condition = services().policy.list_filter(visitor())
    return Caller(condition, lambda info: may("pull", info))


def rows(page: list[Listed]) -> list[Row]:
    """Return the rows of a page, with figures, kinds and the names of owners."""
    catalog, keys = services().catalog, [listed.info.key for listed in page]
    figures = catalog.repository_list.figures(keys)
    contents = catalog.manifest_traits.of(keys)
    owners = catalog.users.names(r.info.owner_id for r in page)
    return [
        Row(
            listed,
            figures[key],
            owners.get(listed.info.owner_id, ""),
            contents[key],
        )
        for key, listed in zip(keys, page, strict=True)
    ]


def search() -> Search:
    """Return the search in the query of the request."""
    kind, visibility = paging.parameter("kind"), paging.parameter("visibility")
    known = {each.key for each in artifact_types.LISTED}
    return Search(
        text=paging.parameter("q").lower(),
        below=paging.parameter("under"),
        kind=kind if kind in known else "",
        visibility=visibility if visibility in VISIBILITIES else "",
        platform=paging.parameter("platform").lower(),
    )


def _order() -> Order:
    order = paging.parameter("sort")
    return next((each for each in ORDERS if each == order), DEFAULT_ORDER)


def _feed_address(wanted: Search) -> str:
    """Return the address of the feed of a list."""
    names = {**wanted._asdict(), "q": wanted.text, "under": wanted.below}
    fields = ("q", "under", "kind", "visibility", "platform")
    return url_for(".feed", **{name: names[name] or None for name in fields})


def _position() -> Position | None:
    try:
        return unseal(paging.raw("next"))
    except ValueError:
        return None


def _address(position: Position | None) -> str | None:
    return paging.here(next=seal(position)) if position else None
