"""Inconsistencies that a check finds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

#: The remedy for a file or folder that cannot be read.
OWNER: t.Final = (
    "Give all files in the storage folder to the user of the server, as 'flask oci"
    " check' describes, or replace the disk if it is damaged."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An inconsistency that a check found."""

    kind: str
    """``foreign``, ``lost``, ``damaged``, ``unreadable``, ``unrecorded``,
    ``dangling``, ``misplaced`` or ``miscounted``."""

    subject: str
    """The digest or the name that the problem is about."""

    message: str
    """The problem and the remedy."""

    repaired: bool = False
    """True if it has been repaired."""

    harmless: bool = False
    """True if no acknowledged content is missing."""


def to_push(needed_by: list[str]) -> str:
    """Return the remedy for a blob that some repositories need."""
    if not needed_by:
        return " Push it again."
    return f" Push it again, to one of: {', '.join(needed_by)}."
