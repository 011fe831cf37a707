"""``Warning`` headers: "Registry implementations MAY include informational warnings in
`Warning` headers" (spec.md, "Warnings")."""

from __future__ import annotations

import typing as t

from flask import Response

from ..events.request_state import request_state

#: The maximum size of all warnings of one response in bytes (spec.md, "Warnings").
MAX_BYTES: t.Final = 4096


def warn(text: str) -> None:
    """Add a warning, which clients print, to the response of the current request.

    :param text: a sentence in ASCII, for the user of the client.
    """
    request_state().warnings.append(text)


def emit(response: Response) -> None:
    """Add the warnings of the current request to its response."""
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
