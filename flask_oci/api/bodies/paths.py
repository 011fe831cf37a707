"""The structures of the rules of a path."""

from __future__ import annotations

import typing as t

from msgspec import Meta

from .base import Body
from .base import Visibility
from .usage import Quota


class DefaultVisibility(Body, frozen=True):
    """The visibility of repositories that a push creates in a path."""

    visibility: t.Annotated[
        Visibility | None,
        Meta(
            description="The visibility; null means that a shorter path decides, or"
            " that new repositories are private."
        ),
    ]


class PathUsage(Body, frozen=True):
    """The quota of a path, and the storage usage of the repositories that it counts."""

    bytes: t.Annotated[
        int,
        Meta(description="The size of their blobs, each counted once, and manifests."),
    ]
    images: t.Annotated[int, Meta(description="The number of tagged images.")]
    quota: t.Annotated[
        Quota | None, Meta(description="The quota; null if none is set for the path.")
    ]
