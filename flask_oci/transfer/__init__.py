"""Transfers of images: import, export and copies between registries.

Every place to read images from is a :class:`~flask_oci.transfer.base.Source`, and every
place to write them to is a :class:`~flask_oci.transfer.base.Target`.
:class:`~flask_oci.transfer.transfer.Transfer` connects any two of them.
"""

from __future__ import annotations

from .base import TransferError
from .base import TransferProgress
from .base import TransferResult
from .images import Images

__all__ = ["Images", "TransferResult", "TransferProgress", "TransferError"]
