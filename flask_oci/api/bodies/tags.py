"""The structures of tags and of their history."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta

from .base import Body
from .base import Page
from .base import Paging
from .base import ShortText


class Tag(Body, frozen=True):
    """A tag and the manifest that it points at. An untagged manifest has null as its
    name."""

    name: t.Annotated[
        str | None, Meta(description="The tag; null for an untagged manifest.")
    ]
    digest: t.Annotated[str, Meta(description="The digest of the manifest.")]
    media_type: t.Annotated[str, Meta(description="The media type of the manifest.")]
    kind: t.Annotated[
        str,
        Meta(
            description="The type of the content: `image`, `index`, `chart`,"
            " `signature`, …"
        ),
    ]
    bytes: t.Annotated[
        int,
        Meta(
            description="The size of all blobs that it needs, of every platform, each"
            " counted once."
        ),
    ]
    smallest_pull: t.Annotated[
        int,
        Meta(description="The size of the blobs that a pull takes at least, in bytes."),
    ]
    largest_pull: t.Annotated[
        int,
        Meta(
            description="The size of the blobs that a pull takes at most, in bytes. It"
            " differs if the image of each platform has another size."
        ),
    ]
    platforms: t.Annotated[
        list[str],
        Meta(
            description="The platforms, such as `linux/amd64`. A list leaves them out"
            " beyond a total of 1 MiB of indexes and configs."
        ),
    ]
    attached: t.Annotated[
        list[str],
        Meta(
            description="The types of the artifacts that are attached to it:"
            " `signature`, `sbom`, …"
        ),
    ]
    moved_at: t.Annotated[
        datetime,
        Meta(
            description="When the tag last moved to another manifest; for an untagged"
            " manifest, when it was pushed."
        ),
    ]
    pushed_at: t.Annotated[datetime, Meta(description="When the manifest was pushed.")]
    pushed_by: t.Annotated[
        str | None,
        Meta(description="The name of the user who pushed the manifest, if known."),
    ]
    pulled_at: t.Annotated[
        datetime | None,
        Meta(
            description="The time of the last pull, to within an hour; null if there"
            " was none."
        ),
    ]


class Tags(Page, frozen=True):
    """Tags of a repository, or its untagged manifests."""

    items: t.Annotated[list[Tag], Meta(description="The tags.")]


class TagList(Paging, frozen=True):
    """The parameters of a list of tags."""

    search: t.Annotated[
        ShortText, Meta(description="Only tags that contain this text.")
    ] = ""
    order: t.Annotated[
        t.Literal["name", "moved"],
        Meta(description="By name, or by the last move, newest first."),
    ] = "name"
    show: t.Annotated[
        t.Literal["tags", "attached", "untagged"],
        Meta(
            description="`attached` lists the tags that clients create for signatures"
            " and other attached artifacts. `untagged` lists the manifests that have no"
            " tag, belong to no index and have no subject, newest first."
        ),
    ] = "tags"


class Move(Body, frozen=True):
    """One change of a tag: it was created, moved or deleted."""

    id: t.Annotated[int, Meta(description="The id of the move.")]
    tag: t.Annotated[str, Meta(description="The tag.")]
    from_digest: t.Annotated[
        str | None,
        Meta(
            description="The digest that the tag pointed at before; null if the move"
            " created the tag."
        ),
    ]
    to_digest: t.Annotated[
        str | None,
        Meta(
            description="The digest that the tag points at since; null if the move"
            " deleted the tag."
        ),
    ]
    moved_at: t.Annotated[datetime, Meta(description="The time of the move.")]
    moved_by: t.Annotated[
        str | None,
        Meta(description="The name of the user who moved the tag, if known."),
    ]
    can_be_undone: t.Annotated[
        bool,
        Meta(
            description="Whether the registry still has the manifest that the tag"
            " pointed at before."
        ),
    ]


class Moves(Page, frozen=True):
    """The history of the tags of a repository, newest first."""

    items: t.Annotated[list[Move], Meta(description="The moves.")]


class MoveList(Paging, frozen=True):
    """The parameters of a list of moves."""

    tag: t.Annotated[
        ShortText, Meta(description="Only moves of this tag; empty for all tags.")
    ] = ""
