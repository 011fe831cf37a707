"""The application that is being checked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from flask import Flask

    from ...services import Services


@dataclass(frozen=True)
class Target:
    """An application and its registry; to be used within an application context."""

    app: Flask
    parts: Services
    user: t.Any
    """The user to push and pull as, or None."""

    repository: str
    """A repository that the check creates and deletes."""

    url: str | None
    """The address that clients use, or None."""
