"""Other registries, as places that images come from and go to.

This needs urllib3, which ``flask-oci[copy]`` brings.
"""

from __future__ import annotations

from .address import Address
from .address import parse_address
from .repository import RemoteRepository

__all__ = ["Address", "RemoteRepository", "parse_address"]
