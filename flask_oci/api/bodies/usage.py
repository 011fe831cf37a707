"""The structures of quotas and storage usage."""

from __future__ import annotations

import typing as t

from msgspec import Meta

from .base import Body
from .base import Page
from .base import ShortText

_Count = t.Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Quota(Body, frozen=True):
    """A quota; null means no limit."""

    bytes: t.Annotated[int | None, Meta(description="The maximum size, in bytes.")]
    images: t.Annotated[
        int | None, Meta(description="The maximum number of tagged images.")
    ]


class RepositoryUsage(Body, frozen=True):
    """The storage usage and the quota of a repository."""

    bytes: t.Annotated[
        int,
        Meta(description="The size of its blobs, each counted once, and manifests."),
    ]
    images: t.Annotated[int, Meta(description="The number of tagged images.")]
    quota: t.Annotated[Quota, Meta(description="The quota of the repository.")]


class Usage(Body, frozen=True):
    """The storage usage and the quota of all the caller's repositories together."""

    repositories: t.Annotated[int, Meta(description="The number of repositories.")]
    bytes: t.Annotated[
        int,
        Meta(description="The size of their blobs, each counted once, and manifests."),
    ]
    images: t.Annotated[int, Meta(description="The number of tagged images.")]
    quota: t.Annotated[Quota, Meta(description="The quota of the caller.")]


class Share(Body, frozen=True):
    """The storage usage of one of the caller's repositories."""

    name: t.Annotated[str, Meta(description="The full name of the repository.")]
    bytes: t.Annotated[
        int, Meta(description="The size of its blobs, each counted once.")
    ]
    alone: t.Annotated[
        int,
        Meta(
            description="The size of its blobs that no other repository of the caller"
            " shares."
        ),
    ]


class Shares(Page, frozen=True):
    """The caller's repositories, largest first."""

    items: t.Annotated[list[Share], Meta(description="The repositories.")]


class ScopedQuota(Body, frozen=True):
    """The quota of a repository, of an owner or of a path. The other two are null."""

    repository: t.Annotated[
        ShortText | None, Meta(description="The full name of the repository.")
    ] = None
    owner: t.Annotated[ShortText | None, Meta(description="The name of the owner.")] = (
        None
    )
    path: t.Annotated[
        ShortText | None, Meta(description="The path, such as `website/*`.")
    ] = None
    bytes: t.Annotated[
        _Count | None,
        Meta(description="The maximum size, in bytes; null for no limit."),
    ] = None
    images: t.Annotated[
        _Count | None,
        Meta(description="The maximum number of tagged images; null for no limit."),
    ] = None


class ScopedQuotas(Page, frozen=True):
    """The quotas that are set."""

    items: t.Annotated[list[ScopedQuota], Meta(description="The quotas.")]
