"""Object storage: the protocol of a bucket, S3, Azure Blob Storage, and blobs in it."""

from __future__ import annotations

from .protocol import Body
from .protocol import Bucket
from .protocol import Head
from .protocol import NoSuchUpload
from .protocol import Part
from .protocol import StoredObject

__all__ = ["Body", "Bucket", "Head", "NoSuchUpload", "Part", "StoredObject"]
