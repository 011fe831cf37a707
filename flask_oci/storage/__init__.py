"""The verbs on bytes. Only this package touches the disk."""

from __future__ import annotations

from .base import Hashed
from .base import Storage
from .base import StoredUpload
from .base import UploadFile
from .examination import examine
from .examination import Examined
from .local import LocalStorage

__all__ = [
    "Examined",
    "Hashed",
    "LocalStorage",
    "Storage",
    "StoredUpload",
    "UploadFile",
    "examine",
]
