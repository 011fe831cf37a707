"""Pages of lists (spec.md, "Listing Tags")."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlencode

from flask import request

from ..errors import Unsupported
from ..http.responses import as_json
from ..http.responses import Response
from ..services import services

_COUNT = re.compile(r"[0-9]{1,19}", re.ASCII)


def limit() -> int:
    """Return the number of entries to list: the client's ``n``, up to the configured
    maximum.

    :raises Unsupported: 400, if ``n`` is not a whole number.
    """
    most = services().config.max_page_size
    wanted = request.args.get("n")
    if wanted is None:
        return most
    if not _COUNT.fullmatch(wanted):
        raise Unsupported(
            "Invalid 'n': send the number of entries to list, in decimal digits.",
            detail=wanted,
            status=400,
        )
    return min(int(wanted), most)


def last() -> str | None:
    """Return the entry to begin after, or None."""
    value = request.args.get("last")
    return None if value is None else text(value)


def text(value: str) -> str:
    """Return a query parameter in a form that every database can compare. PostgreSQL
    refuses a NUL, and no listed name is longer than 1024 characters."""
    return value.replace("\0", "")[:1024]


def page(body: dict[str, t.Any], next_last: str | None, **kept: t.Any) -> Response:
    """Return a response with one page of a list.

    :param body: the page itself.
    :param next_last: the ``last`` parameter of the next page, or None at the end.
    :param kept: other parameters of the request that the next page needs.
    """
    response = as_json(body)
    if next_last is not None:
        query = {"n": limit(), "last": next_last, **kept}
        target = f"{request.root_path}{request.path}?{urlencode(query, doseq=True)}"
        response.headers["Link"] = f'<{target}>; rel="next"'
    response.headers["Cache-Control"] = "private, no-cache"
    return response
