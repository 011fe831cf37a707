"""Where a list goes on: an opaque text, which is good for that list only."""

from __future__ import annotations

import base64
import typing as t
from datetime import datetime
from datetime import timezone

import msgspec

from ..errors import Unsupported
from ..http.bounds import MOST_ROWS
from ..services import services

#: A text that any database can compare.
Name = t.Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\u0000]*$")]

_Place = tuple[Name, t.Annotated[datetime, msgspec.Meta(tz=True)]]

Entry = t.TypeVar("Entry")


def limit(wanted: int) -> int:
    """Return how many entries to list: what was asked for, or what is allowed."""
    return min(wanted, services().config.max_page_size)


def encode(place: t.Any) -> str:
    """Write where a list goes on."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place(text: str | None) -> tuple[str, datetime] | None:
    """Read the name and the moment that a list goes on behind; None is its beginning.

    :raises Unsupported: 400, when no list goes on there.
    """
    if text is None:
        return None
    name, moment = _decode(text, _Place)
    try:
        # In other zones, the first and the last day have hours that there are not.
        return name, moment.astimezone(timezone.utc)
    except OverflowError:
        raise _nowhere(text) from None


def number(text: str | None, most: int = MOST_ROWS) -> int | None:
    """Read a number that a list goes on behind; None is its beginning.

    :raises Unsupported: 400, when no list goes on there.
    """
    if text is None:
        return None
    found: int = _decode(text, int)
    if not 0 <= found <= most:
        raise _nowhere(text)
    return found


def cut(
    found: list[Entry], most: int, place: t.Callable[[Entry], t.Any]
) -> tuple[list[Entry], str | None]:
    """Return a page of what was found, and where the next one begins.

    :param found: one entry more than a page has, if there are any more.
    :param most: how many entries a page has.
    :param place: tells where an entry is in the list.
    """
    shown = found[:most]
    return shown, encode(place(shown[-1])) if len(found) > most and shown else None


def _decode(text: str, kind: t.Any) -> t.Any:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        content = base64.b64decode(padded, b"-_", validate=True)
        return msgspec.json.decode(content, type=kind)
    except (ValueError, msgspec.DecodeError):
        raise _nowhere(text) from None


def _nowhere(text: str) -> Unsupported:
    return Unsupported(
        "'next' is what the page before this one had as its 'next'.",
        detail=text,
        status=400,
    )
