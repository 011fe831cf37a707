"""The ranges that the current request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import typing as t

from flask import request

from ..spec.ranges import parse_range

if t.TYPE_CHECKING:
    from ..spec.digest import Digest
    from ..spec.ranges import Span


def requested_spans(digest: Digest, size: int) -> list[Span] | None:
    """Return the spans of a blob that the request asks for, or None for all of it.

    A request that depends on another version of the blob asks for all of it (section
    13.1.5).

    :param size: the size of the blob in bytes.
    :raises Unsatisfiable: if the ranges are malformed, or outside of the blob.
    """
    condition = request.headers.get("If-Range")
    if condition is not None and condition != f'"{digest}"':
        return None
    return parse_range(request.headers.get("Range"), size)
