"""Moving images: in from archives, out to archives, and between registries.

Every place that has images is a :class:`~flask_oci.transfer.base.Source`, and every
place that they can be put a :class:`~flask_oci.transfer.base.Target`. What is between
them, :class:`~flask_oci.transfer.walk.Transfer`, is the same for all.
"""

from __future__ import annotations

from .base import Progress
from .base import TransferError
from .base import TransferResult
from .images import Images

__all__ = ["Images", "TransferResult", "Progress", "TransferError"]
