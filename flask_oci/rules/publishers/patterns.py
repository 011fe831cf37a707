"""Patterns of branches, tags and environments. They are no regular expressions."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

#: The maximum number of ``*`` in a pattern. Each one multiplies the cost of a
#: comparison by the length of the text.
MAX_STARS: t.Final = 2

#: The maximum length of a text that a pattern can match, in characters.
_LONGEST: t.Final = 1024


def check_pattern(name: str, pattern: str, *, is_ref: bool) -> None:
    """Check a pattern.

    :param name: the field, for the message.
    :param is_ref: whether the pattern is for Git references.
    :raises ValueError: if it is invalid.
    """
    if pattern.count("*") > MAX_STARS:
        raise ValueError(
            f"Invalid {name} {pattern!r}: use '*' at most {MAX_STARS} times."
        )
    if is_ref and not re.match(r"refs/(heads|tags)/.", pattern):
        raise ValueError(
            f"Invalid {name} {pattern!r}: write 'refs/heads/main' for a branch, or"
            " 'refs/tags/v*' for tags; '*' stands for any text without a slash."
        )


def matches(pattern: str, text: str) -> bool:
    """Return True if a text matches a pattern. ``*`` stands for text without ``/``."""
    return len(text) <= _LONGEST and _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
