"""A container registry inside any Flask application."""

from __future__ import annotations

from .auth.access_tokens import IssuedToken
from .auth.authenticator import LoginRefused
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
