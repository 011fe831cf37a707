"""Lists, a page at a time (spec.md, "Listing Tags")."""

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
    """Return how many entries the client wants, or is given at the most.

    :raises Unsupported: 400, when ``n`` is not a whole number.
    """
    most = services().config.max_page_size
    wanted = request.args.get("n")
    if wanted is None:
        return most
    if not _COUNT.fullmatch(wanted):
        raise Unsupported(
            "'n' is the number of entries to list, in decimal digits.",
            detail=wanted,
            status=400,
        )
    return min(int(wanted), most)


def last() -> str | None:
    """Return the entry to begin behind."""
    value = request.args.get("last")
    return None if value is None else text(value)


def text(value: str) -> str:
    """Return a parameter as a database will compare it: PostgreSQL refuses a NUL,
    and nothing that is listed is longer than this."""
    return value.replace("\0", "")[:1024]


def page(body: dict[str, t.Any], next_last: str | None, **kept: t.Any) -> Response:
    """Answer with a page.

    :param body: the page itself.
    :param next_last: the ``last`` of the page that follows, or None at the end.
    :param kept: other parameters of the request that the next one needs.
    """
    response = as_json(body)
    if next_last is not None:
        query = {"n": limit(), "last": next_last, **kept}
        target = f"{request.root_path}{request.path}?{urlencode(query, doseq=True)}"
        response.headers["Link"] = f'<{target}>; rel="next"'
    response.headers["Cache-Control"] = "private, no-cache"
    return response
