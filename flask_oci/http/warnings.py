"""Warnings: "Registry implementations MAY include informational warnings in
`Warning` headers" (spec.md, "Warnings").
"""

from __future__ import annotations

import typing as t

from flask import Response

from ..events.request_state import request_state

#: How many bytes of warnings one answer may have (spec.md, "Warnings").
MAX_BYTES: t.Final = 4096


def warn(text: str) -> None:
    """Have the current request's answer carry a warning that clients print.

    :param text: a sentence in ASCII, for the person at the other end.
    """
    request_state().warnings.append(text)


def emit(response: Response) -> None:
    """Put the warnings of the current request into its answer."""
    left, state = MAX_BYTES, request_state()
    texts, state.warnings = state.warnings, []
    for text in texts:
        value = f'299 - "{_quotable(text)}"'
        left -= len(value)
        if left >= 0:
            response.headers.add("Warning", value)


def _quotable(text: str) -> str:
    printable = "".join(c if " " <= c <= "~" else "?" for c in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')
