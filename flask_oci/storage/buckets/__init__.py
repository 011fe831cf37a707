"""Object storage: the protocol of a bucket, S3, Azure Blob Storage, and blobs in it."""

from __future__ import annotations

from ..place import StoredObject
from .protocol import Body
from .protocol import Bucket
from .protocol import Head
from .protocol import NoSuchUpload
from .protocol import Part

__all__ = ["Body", "Bucket", "Head", "NoSuchUpload", "Part", "StoredObject"]
