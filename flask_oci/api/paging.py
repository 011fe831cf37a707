"""Pages of lists. The position of the next page is an opaque text for that list."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timezone

import msgspec
from flask import request

from ..errors import Unsupported
from ..http.bounds import MAX_KEY
from ..http.repository_pages import Position
from ..http.repository_pages import unseal
from ..services import services
from .bodies.base import AsciiText
from .bodies.base import Paging

#: The last name of a page, and its time. Names are ASCII, and a database may be unable
#: to compare another text with them.
_Position = tuple[AsciiText, t.Annotated[datetime, msgspec.Meta(tz=True)]]

Entry = t.TypeVar("Entry")


def size(query: Paging) -> int:
    """Return the size of a page: the requested limit, up to OCI_MAX_PAGE_SIZE."""
    return min(query.limit, services().config.max_page_size)


def encode(position: t.Any) -> str:
    """Return the text of a position in a list."""
    return services().cursors.seal(msgspec.json.encode(position), request.path)


def position(text: str | None) -> tuple[str, datetime] | None:
    """Return the name and the time after which a page begins; None for the first page.

    :raises Unsupported: 400, if the text is not such a position.
    """
    if text is None:
        return None
    name, moment = _decode(text, _Position)
    try:
        # Near year 1 and year 9999, a time with an offset may have no time in UTC.
        return name, moment.astimezone(timezone.utc)
    except OverflowError:
        raise _invalid(text) from None


def repository_position(text: str | None) -> Position | None:
    """Return the position in a list of repositories; None for the first page.

    :raises Unsupported: 400, if the text is not such a position.
    """
    if text is None:
        return None
    try:
        return unseal(text)
    except ValueError:
        raise _invalid(text) from None


def number(text: str | None, maximum: int = MAX_KEY) -> int | None:
    """Return the number after which a page begins; None for the first page.

    :raises Unsupported: 400, if the text is not such a position.
    """
    if text is None:
        return None
    decoded: int = _decode(text, int)
    if not 0 <= decoded <= maximum:
        raise _invalid(text)
    return decoded


def paginate(
    entries: list[Entry], size: int, position: t.Callable[[Entry], t.Any]
) -> tuple[list[Entry], str | None]:
    """Return one page of entries, and the position of the next page, if there is one.

    :param entries: the entries of the page, and one more if there is a next page.
    :param size: the size of a page, in entries.
    :param position: returns the position of an entry in the list.
    """
    page = entries[:size]
    return page, encode(position(page[-1])) if len(entries) > size and page else None


def _decode(text: str, type_: t.Any) -> t.Any:
    try:
        content = services().cursors.open(text, request.path)
        return msgspec.json.decode(content, type=type_)
    except (ValueError, msgspec.DecodeError):
        raise _invalid(text) from None


def _invalid(text: str) -> Unsupported:
    return Unsupported(
        "Invalid 'next': use the 'next' of the previous page.",
        detail=text,
        status=400,
    )
