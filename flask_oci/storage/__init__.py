"""Storage of blobs: the protocol, and the local disk. Only this package opens files."""

from __future__ import annotations

from .local import LocalStorage
from .probe import examine
from .probe import ProbeResult
from .protocol import Hashed
from .protocol import Storage
from .protocol import StoredUpload
from .protocol import UploadFile

__all__ = [
    "ProbeResult",
    "Hashed",
    "LocalStorage",
    "Storage",
    "StoredUpload",
    "UploadFile",
    "examine",
]
