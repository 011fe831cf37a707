"""Authentication challenges of registries (``WWW-Authenticate``).

Distribution's docs/content/spec/auth/token.md and oauth.md describe the token requests.
"""

from __future__ import annotations

import re
import typing as t

_PARAMETER = re.compile(r'([A-Za-z0-9_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"(?:^|,\s*)(Basic|Bearer)(?:\s+|$)", re.I)


class Challenge(t.NamedTuple):
    """A scheme and its parameters."""

    scheme: str
    """``basic`` or ``bearer``."""

    parameters: dict[str, str]


def parse(values: t.Iterable[str]) -> list[Challenge]:
    """Parse the challenges of a response; unknown schemes are ignored.

    :param values: the values of the headers.
    """
    found = []
    for value in values:
        marks = list(_SCHEME.finditer(value))
        ends = [mark.start() for mark in marks[1:]] + [len(value)]
        for mark, end in zip(marks, ends, strict=True):
            pairs = _PARAMETER.finditer(value, mark.end(), end)
            parameters = {p[1].lower(): _unquoted(p[2] or p[3] or "") for p in pairs}
            found.append(Challenge(mark[1].lower(), parameters))
    return found


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
