"""A blob that a client asks for and a cached manifest refers to."""

from __future__ import annotations

import typing as t

from ..catalog import RepositoryInfo
from ..config.upstreams import Upstream
from ..spec.digest import Digest


class WantedBlob(t.NamedTuple):
    """A blob of an upstream that is not cached yet."""

    upstream: Upstream
    repository: RepositoryInfo
    digest: Digest
    size: int
    """The size in bytes, as the manifest gives it."""
