"""Where a list begins, and the address of its next page.

A page begins behind the last entry of the one before: no number of entries to pass
over, which would tell how many there are that the visitor may not see.
"""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timezone
from urllib.parse import urlencode

from flask import request
from flask import url_for

#: How many entries a page lists.
PAGE: t.Final = 25


#: No parameter of ours is longer: a digest, a name.
_LONGEST: t.Final = 255


def parameter(name: str) -> str:
    """Return a parameter of the address, without what a database cannot compare."""
    return request.args.get(name, "").replace("\0", "").strip()[:_LONGEST]


def behind() -> tuple[str, datetime] | None:
    """Return the name, and the moment, that the page begins behind."""
    name = parameter("after")
    try:
        moment = datetime.fromisoformat(parameter("at"))
        # In other zones, the first and the last day have hours that there are not.
        at = moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return (name, at) if name and moment.tzinfo else None


def next_page(name: str, moment: datetime) -> str:
    """Return the address of the same list from behind an entry on."""
    return here(after=name, at=moment.isoformat())


def here(**changed: str) -> str:
    """Return the address of this page with some parameters changed.

    An empty value leaves a parameter out.
    """
    kept = {k: v for k, v in request.args.items() if k not in ("after", "at")}
    parameters = {k: v for k, v in {**kept, **changed}.items() if v}
    # Not as values of url_for, some of which have a meaning of their own there.
    path = url_for(str(request.endpoint), **(request.view_args or {}))
    return f"{path}?{urlencode(parameters)}" if parameters else path
