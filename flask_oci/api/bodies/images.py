"""The structures of images and other manifests."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta

from .base import Body
from .base import Page


class Descriptor(Body, frozen=True):
    """An entry of an index, which describes one of its manifests."""

    digest: t.Annotated[str, Meta(description="The digest of the manifest.")]
    media_type: t.Annotated[str, Meta(description="The media type of the manifest.")]
    size: t.Annotated[int, Meta(description="The size of the manifest, in bytes.")]
    platform: t.Annotated[
        str | None, Meta(description="The platform, such as `linux/amd64`, if any.")
    ]
    bytes: t.Annotated[
        int | None,
        Meta(
            description="The size of the blobs that a pull of it takes; null if the"
            " repository does not have the manifest."
        ),
    ]


class Referrer(Body, frozen=True):
    """A manifest that names another manifest as its subject."""

    digest: t.Annotated[str, Meta(description="The digest of the manifest.")]
    media_type: t.Annotated[str, Meta(description="The media type of the manifest.")]
    artifact_type: t.Annotated[
        str | None, Meta(description="The artifact type of the manifest, if any.")
    ]
    kind: t.Annotated[
        str, Meta(description="The type of the content: `signature`, `sbom`, …")
    ]
    size: t.Annotated[int, Meta(description="The size of the manifest, in bytes.")]


class Image(Body, frozen=True):
    """An image or another manifest."""

    digest: t.Annotated[str, Meta(description="The digest of the manifest.")]
    media_type: t.Annotated[str, Meta(description="The media type of the manifest.")]
    artifact_type: t.Annotated[
        str | None, Meta(description="The artifact type of the manifest, if any.")
    ]
    kind: t.Annotated[
        str,
        Meta(
            description="The type of the content: `image`, `index`, `chart`,"
            " `signature`, …"
        ),
    ]
    size: t.Annotated[int, Meta(description="The size of the manifest, in bytes.")]
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
    tags: t.Annotated[list[str], Meta(description="The tags that point at it.")]
    platforms: t.Annotated[
        list[str], Meta(description="The platforms, such as `linux/amd64`.")
    ]
    annotations: t.Annotated[
        dict[str, str], Meta(description="The annotations of the manifest.")
    ]
    subject: t.Annotated[
        str | None,
        Meta(description="The digest of its subject, the manifest it refers to."),
    ]
    children: t.Annotated[
        list[Descriptor], Meta(description="The manifests that an index contains.")
    ]
    referrers: t.Annotated[
        list[Referrer], Meta(description="The manifests whose subject this one is.")
    ]
    part_of: t.Annotated[
        list[str], Meta(description="The digests of the indexes that contain it.")
    ]
    pushed_at: t.Annotated[datetime, Meta(description="When it was pushed.")]
    pushed_by: t.Annotated[
        str | None, Meta(description="The name of the user who pushed it, if known.")
    ]
    pulled_at: t.Annotated[
        datetime | None,
        Meta(
            description="The time of the last pull, to within an hour; null if there"
            " was none."
        ),
    ]


class ImageDeletion(Body, frozen=True):
    """The parameters of the deletion of an image."""

    final: t.Annotated[
        bool, Meta(description="Whether the deletion cannot be undone.")
    ] = False


class DeletedImage(Body, frozen=True):
    """A deleted image or another manifest that can be restored."""

    digest: t.Annotated[str, Meta(description="The digest of the manifest.")]
    tags: t.Annotated[
        list[str], Meta(description="The tags that were deleted with it.")
    ]
    deleted_at: t.Annotated[datetime, Meta(description="The time of the deletion.")]
    deleted_by: t.Annotated[
        str | None,
        Meta(description="The name of the user who deleted it, if known."),
    ]


class DeletedImages(Page, frozen=True):
    """A page of deleted images."""

    items: t.Annotated[
        list[DeletedImage], Meta(description="The deleted images, newest first.")
    ]
