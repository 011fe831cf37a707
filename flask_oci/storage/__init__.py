"""Storage of blobs: the protocol, and the local disk. Only this package opens files."""

from __future__ import annotations

from .local import LocalStorage
from .place import Place
from .place import StoredObject
from .probe import examine
from .probe import ProbeResult
from .protocol import Hashed
from .protocol import Storage
from .protocol import StoredUpload
from .protocol import UploadFile

__all__ = [
    "Hashed",
    "LocalStorage",
    "Place",
    "ProbeResult",
    "Storage",
    "StoredObject",
    "StoredUpload",
    "UploadFile",
    "examine",
]
