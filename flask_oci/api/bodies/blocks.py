"""The structures of blocks."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta

from ...rules.blocks import MAX_REASON
from .base import Body
from .base import Page

_Path: t.TypeAlias = t.Annotated[
    str,
    Meta(
        description="The repositories that the block is for: `website/*` for those"
        " below a name, or `*` for all.",
        max_length=255,
    ),
]


class NewBlock(Body, frozen=True):
    """A new block of a digest, or a new reason."""

    reason: t.Annotated[
        str,
        Meta(
            description="The reason: one line, which clients print.",
            min_length=1,
            max_length=MAX_REASON,
        ),
    ]
    children: t.Annotated[
        bool, Meta(description="Whether to block also the images in an index.")
    ] = True


class NewPathBlock(NewBlock, frozen=True):
    """A new block of a digest in a path, or a new reason."""

    path: _Path = "*"


class BlockPath(Body, frozen=True):
    """The parameters of the deletion of a block."""

    path: _Path = "*"


class Block(Body, frozen=True):
    """A digest that no client may pull or push, and where."""

    digest: t.Annotated[str, Meta(description="The digest of a manifest or a blob.")]
    repository: t.Annotated[
        str | None, Meta(description="The repository; null if it is for a path.")
    ]
    path: t.Annotated[
        str | None, Meta(description="The path; null if it is for a repository.")
    ]
    reason: t.Annotated[str, Meta(description="The reason, which clients print.")]
    blocked_by: t.Annotated[
        str | None,
        Meta(description="The user who set it; null for the command line."),
    ]
    blocked_at: t.Annotated[datetime, Meta(description="When it was set.")]
    index_digest: t.Annotated[
        str | None,
        Meta(
            description="The index whose block includes this image; null if the digest"
            " itself was blocked."
        ),
    ]


class Blocks(Page, frozen=True):
    """Blocks, newest first."""

    items: t.Annotated[list[Block], Meta(description="The blocks.")]
