"""JSON formatted for reading, from a bounded prefix of its text."""

from __future__ import annotations

import re
import typing as t

_INDENT: t.Final = "  "
_TOKEN: t.Final = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL
)


def pretty(content: bytes, limit: int) -> tuple[str, bool]:
    """Return JSON with line breaks and indentation, and whether it is truncated.

    It reads at most ``2 * limit`` bytes and builds no values, so its cost depends on
    the limit only. Strings keep their escapes.

    :param content: valid JSON in UTF-8.
    :param limit: the maximum length of the result, in characters.
    """
    prefix = content[: 2 * limit]
    parts: list[str] = []
    length, depth, previous = 0, 0, ""
    # The cut may be inside a character.
    for token in _TOKEN.finditer(prefix.decode("utf-8", "ignore")):
        mark = token[0]
        if mark in "]}":
            depth -= 1
            part = mark if previous in "[{" else f"\n{_INDENT * depth}{mark}"
        elif mark == ":":
            part = ": "
        elif previous and previous in "[{,":
            part = f"\n{_INDENT * depth}{mark}"
        else:
            part = mark
        depth += mark in "[{"
        parts.append(part)
        length += len(part)
        previous = mark
        if length > limit:
            break
    is_truncated = length > limit or len(content) > len(prefix)
    return "".join(parts)[:limit], is_truncated
