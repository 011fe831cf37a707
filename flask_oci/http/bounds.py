"""Bounds of queries, and of numbers that clients send to be compared by databases."""

from __future__ import annotations

import typing as t

from flask import request
from werkzeug.exceptions import RequestURITooLarge

#: The maximum number of parameters of a query. Werkzeug takes about ten microseconds
#: for each, and a push of a manifest with a hundred tags has the most.
MAX_PARAMETERS: t.Final = 200

#: The largest primary key of most tables, and of those whose keys have 64 bits.
MAX_KEY: t.Final = 2**31 - 1
MAX_LONG_KEY: t.Final = 2**63 - 1


def check_query() -> None:
    """Refuse a query with too many parameters, before it is parsed.

    :raises RequestURITooLarge: if there are more than :data:`MAX_PARAMETERS`.
    """
    if request.query_string.count(b"&") >= MAX_PARAMETERS:
        raise RequestURITooLarge(
            f"The query has more than {MAX_PARAMETERS} parameters."
        )


def number(text: str, most: int = MAX_KEY) -> int | None:
    """Return the number that a text contains, or None if it is not from 0 to ``most``.

    :param most: the largest number that the database can compare.
    """
    found = int(text) if text.isdecimal() and len(text) < 20 else None
    return found if found is not None and found <= most else None
