"""A container registry inside any Flask application."""

from __future__ import annotations

from .catalog import RepositoryInfo
from .errors import Denied
from .errors import RegistryError
from .extension import Registry

__all__ = ["Denied", "Registry", "RegistryError", "RepositoryInfo"]
