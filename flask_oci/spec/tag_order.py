"""The order of tags by the versions that they name."""

from __future__ import annotations

import re

_PART = re.compile(r"\d{1,18}|\D+", re.ASCII)
_SUFFIX = re.compile(r"-[A-Za-z]", re.ASCII)

#: The end of a tag. A tag with a suffix, such as ``-rc1``, is lower than one without.
_END = (1, 0, "")


def version(tag: str) -> list[tuple[int, int, str]]:
    """Return a sort key of a tag, which compares numbers as numbers: ``1.10`` is higher
    than ``1.9``, and ``2.0`` is higher than ``2.0-rc1``."""
    return [*map(_key, _PART.findall(tag)), _END]


def _key(part: str) -> tuple[int, int, str]:
    if part.isdecimal():
        return 3, int(part), ""
    return (0 if _SUFFIX.match(part) else 2), 0, part
