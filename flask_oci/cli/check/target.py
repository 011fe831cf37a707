"""What is being checked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from flask import Flask

    from ...services import Services


@dataclass(frozen=True)
class Target:
    """One application and its registry.

    Whoever looks at it does so within a context of the application.
    """

    app: Flask
    parts: Services
    user: t.Any
    """Whom the check pushes and pulls as, or None."""

    repository: str
    """A repository that is made for the check, where somebody pushes, and goes with
    it."""

    url: str | None
    """The address by which clients reach the application, where one was given."""
