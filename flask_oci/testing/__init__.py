"""Test tools for applications with a registry."""

from __future__ import annotations

from .answers import errors
from .answers import expect
from .answers import refusal
from .answers import Refused
from .buckets import FaultyBucket
from .buckets import MemoryBucket
from .client import DockerClient
from .client import MakeClient
from .client import RegistryClient
from .faults import Fault
from .faults import Faults
from .images import Image
from .images import make_artifact
from .images import make_image
from .images import make_index
from .images import make_layer
from .manifests import digest_of
from .requests import basic
from .server import serving

__all__ = [
    "DockerClient",
    "MakeClient",
    "RegistryClient",
    "Refused",
    "errors",
    "expect",
    "refusal",
    "Image",
    "make_artifact",
    "make_image",
    "make_index",
    "make_layer",
    "FaultyBucket",
    "MemoryBucket",
    "Fault",
    "Faults",
    "basic",
    "digest_of",
    "serving",
]
