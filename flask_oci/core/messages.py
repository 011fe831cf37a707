"""Messages of the interfaces that are translated where they are shown."""

from __future__ import annotations


def marked(text: str) -> str:
    """Return a text of ours as it is, to be translated where it is shown."""
    return text
