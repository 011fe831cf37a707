"""A container registry inside any Flask application."""

from __future__ import annotations

from .access_tokens import IssuedToken
from .auth import LoginRefused
from .catalog import RepositoryInfo
from .errors import Denied
from .errors import RegistryError
from .extension import Registry

__all__ = [
    "Denied",
    "IssuedToken",
    "LoginRefused",
    "Registry",
    "RegistryError",
    "RepositoryInfo",
]
