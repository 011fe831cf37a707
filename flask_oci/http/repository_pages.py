"""Pages of the list of repositories that a caller may pull from, forwards and back."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime

from flask import request

from ..catalog.repository_list import Listed
from ..catalog.repository_search import EVERYTHING
from ..catalog.repository_search import Order
from ..catalog.repository_search import Place
from ..catalog.repository_search import Search
from ..services import services
from . import readable

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Condition
    from ..catalog import RepositoryInfo

#: The number of repositories up to which a list says how many it has.
MAX_COUNTED: t.Final = 10_000

#: The maximum length of a sealed position. One with the longest name has 480
#: characters.
_MAX_SEALED: t.Final = 512


class Position(t.NamedTuple):
    """A position in a list, and the direction of the page that begins there."""

    place: Place
    backwards: bool = False


class Caller(t.NamedTuple):
    """The caller of a list, and the caller's permissions."""

    condition: Condition | None
    """The database condition for the repositories that the caller may pull. With None,
    the policy decides about each."""

    may_pull: Callable[[RepositoryInfo], bool]
    """Returns the decision of the policy. It is called only without a condition."""

    covers: Callable[[str], bool] | None = None
    """Returns True if the caller's credential covers a name; None covers all."""


class RepositoryPage(t.NamedTuple):
    """One page of a list."""

    found: list[Listed]
    next: Position | None
    previous: Position | None
    total: int | None
    """The number of repositories in the list, if it was asked for and can be told:
    more than :data:`MAX_COUNTED` if there are more."""


class RepositoryPages:
    """Reads pages of one list.

    With a condition, the database decides about each repository, in one statement. A
    total then counts only repositories that the caller may pull. Without a condition,
    the search follows the policy, so that the work does not tell whether a hidden
    repository matches. A total would need the decision about each repository of the
    registry, so the list tells it only if it fits on one page.

    :param caller: the caller of the list.
    :param search: the search of the caller.
    :param order: the order of the list.
    """

    def __init__(self, caller: Caller, search: Search, order: Order) -> None:
        self._caller = caller
        self._search = search
        self._order = order
        self._checks_visibility = bool(search.visibility) and (
            services().policy.may_decide_visibility or caller.condition is None
        )

    @property
    def is_exact(self) -> bool:
        """Whether the database decides about each repository alone."""
        caller = self._caller
        return (
            caller.condition is not None
            and caller.covers is None
            and not self._checks_visibility
        )

    def page(
        self, size: int, position: Position | None, *, counted: bool = False
    ) -> RepositoryPage:
        """Return one page.

        :param size: the maximum number of repositories.
        :param position: where the page begins; None is the first page.
        :param counted: whether to count the repositories of the list.
        """
        backwards = position is not None and position.backwards

        def read(count: int, previous: Listed | None) -> list[Listed]:
            start = position.place if position else None
            return services().catalog.repository_list.page(
                count,
                self._caller.condition,
                search=self._in_database,
                undecided=EVERYTHING if self._decides else self._search,
                order=self._order,
                behind=previous.place if previous else start,
                backwards=backwards,
            )

        # Without a condition, most repositories may be hidden from the caller.
        found, last = readable.first_entries(
            size + 1,
            size + 1 if self.is_exact else readable.BATCH_SIZE,
            read,
            self._is_found,
            readable.MAX_BATCHES,
        )
        shown = found[:size]
        beyond = shown[-1] if len(found) > size else last
        shown = shown[::-1] if backwards else shown
        after, before = _links(shown, position, beyond.place if beyond else None)
        total = None
        if counted:
            total = self._total(len(shown) if not (after or before) else None)
        return RepositoryPage(shown, after, before, total)

    @property
    def _decides(self) -> bool:
        """Whether the database decides about the content."""
        return self._caller.condition is not None

    @property
    def _in_database(self) -> Search:
        if not self._decides:
            return EVERYTHING
        if self._checks_visibility:
            return self._search._replace(visibility="")
        return self._search

    def _is_found(self, listed: Listed) -> bool:
        if self.is_exact:
            return True
        info, caller = listed.info, self._caller
        if caller.condition is None:
            # The policy is asked first, so that it is asked about all.
            is_readable = caller.may_pull(info)
            is_found = self._search.matches(info.name) and listed.has_content
            if not (is_readable and is_found):
                return False
        elif caller.covers is not None and not caller.covers(info.name):
            return False
        return (
            not self._checks_visibility
            or services().policy.visibility(info) == self._search.visibility
        )

    def _total(self, all_shown: int | None) -> int | None:
        condition = self._caller.condition
        if condition is None or not self.is_exact:
            return all_shown
        return services().catalog.repository_list.count(
            MAX_COUNTED + 1, condition, self._search
        )


def _links(
    shown: list[Listed], position: Position | None, beyond: Place | None
) -> tuple[Position | None, Position | None]:
    """Return the positions of the next and of the previous page.

    :param beyond: the position at which the list continues in the direction that it was
        read in, or None.
    """
    further = None if beyond is None else Position(beyond)
    if position is None:
        return further, None
    if position.backwards:
        further = further and further._replace(backwards=True)
        return (Position(shown[-1].place) if shown else None), further
    return further, (Position(shown[0].place, backwards=True) if shown else None)


def seal(position: Position) -> str:
    """Return the text of a position, which clients can neither read nor choose."""
    place = position.place
    content = [
        place.name,
        place.pushed_at.isoformat(),
        place.pulls,
        place.bytes,
        position.backwards,
    ]
    return services().cursors.seal(json.dumps(content).encode(), request.path)


def unseal(text: str) -> Position:
    """Return the position in a text.

    :raises ValueError: if the application did not seal it for this list.
    """
    content = services().cursors.open(text[:_MAX_SEALED], request.path)
    name, moment, pulls, size, backwards = json.loads(content)
    place = Place(name, datetime.fromisoformat(moment), pulls, size)
    return Position(place, backwards)
