"""Pages of lists, and the addresses of their next pages.

A page begins after the last entry of the previous page. An offset would reveal the
number of hidden entries.
"""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timezone
from urllib.parse import urlencode

from flask import request
from flask import url_for

#: The number of entries on a page.
PAGE: t.Final = 25


#: The maximum length of a parameter: digests and names are not longer.
_MAX_LENGTH: t.Final = 255

#: The parameters of a position.
_POSITION: t.Final = ("after", "at", "next")


def parameter(name: str) -> str:
    """Return a query parameter, without the NULs that databases cannot compare."""
    return request.args.get(name, "").replace("\0", "").strip()[:_MAX_LENGTH]


def raw(name: str) -> str:
    """Return a query parameter of any length, unchanged."""
    return request.args.get(name, "")


def behind() -> tuple[str, datetime] | None:
    """Return the name and the time after which the page begins.

    Names are ASCII. A database may be unable to compare another text with them.
    """
    name = parameter("after")
    try:
        moment = datetime.fromisoformat(parameter("at"))
        # Near year 1 and year 9999, a time with an offset may have no time in UTC.
        at = moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return (name, at) if name and name.isascii() and moment.tzinfo else None


def next_page(name: str, moment: datetime) -> str:
    """Return the address of the page after an entry."""
    return here(after=name, at=moment.isoformat())


def here(**changed: str) -> str:
    """Return the address of this page with some query parameters changed.

    An empty value removes a parameter.
    """
    kept = {k: v for k, v in request.args.items() if k not in _POSITION}
    parameters = {k: v for k, v in {**kept, **changed}.items() if v}
    # Some parameter names, such as _anchor, have a meaning for url_for.
    path = url_for(str(request.endpoint), **(request.view_args or {}))
    return f"{path}?{urlencode(parameters)}" if parameters else path
