"""The structures of repositories, and of the caller's own access."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta
from msgspec import UNSET
from msgspec import UnsetType

from ...catalog.repository_search import Order
from ...spec.reference import NAME_MAX_LENGTH
from ...spec.reference import NAME_PATTERN
from .base import Action
from .base import Body
from .base import Page
from .base import Paging
from .base import ShortText
from .base import Visibility

RepositoryName = t.Annotated[
    str, Meta(max_length=NAME_MAX_LENGTH, pattern=f"^{NAME_PATTERN}$")
]
Kind = t.Literal["image", "chart", "wasm", "cache", "artifact"]
Text = t.Annotated[str, Meta(pattern=r"^[^\u0000]*$")]


class Welcome(Body, frozen=True):
    """The caller, and the limits of the caller's credentials."""

    user: t.Annotated[
        str | None,
        Meta(description="The name of the user; null for an anonymous caller."),
    ]
    actions: t.Annotated[
        list[Action],
        Meta(
            description="The actions that the credentials allow; empty without"
            " credentials. The user also needs permission for each of them."
        ),
    ]
    repositories: t.Annotated[
        list[str],
        Meta(
            description="Patterns of the repository names that the credentials cover;"
            " `*` matches any text. Empty without credentials."
        ),
    ]


class Repository(Body, frozen=True):
    """A repository, with its size and statistics."""

    name: t.Annotated[str, Meta(description="The full name of the repository.")]
    owner: t.Annotated[
        str | None,
        Meta(description="The name of the owner; null if there is no owner."),
    ]
    visibility: t.Annotated[
        Visibility,
        Meta(
            description="`private` (only users with permission may pull), `internal`"
            " (signed-in users) or `public` (everyone)."
        ),
    ]
    upstream: t.Annotated[
        str | None,
        Meta(
            description="The namespace of the upstream registry that it caches; null"
            " for an ordinary repository."
        ),
    ]
    description: t.Annotated[str, Meta(description="The description, in Markdown.")]
    tags: t.Annotated[int, Meta(description="The number of tags.")]
    bytes: t.Annotated[
        int,
        Meta(
            description="The size of its blobs, each counted once. Other repositories"
            " may share some of them."
        ),
    ]
    pulls: t.Annotated[
        int,
        Meta(
            description="The number of manifest pulls. Recent pulls may be missing,"
            " because they are recorded with a delay."
        ),
    ]
    pushed_at: t.Annotated[datetime, Meta(description="The time of the last push.")]
    kinds: t.Annotated[list[Kind], Meta(description="The kinds of its content.")]
    platforms: t.Annotated[list[str], Meta(description="The platforms of its images.")]


class Repositories(Page, frozen=True):
    """Repositories that the caller may pull from."""

    items: t.Annotated[list[Repository], Meta(description="The repositories.")]
    total: t.Annotated[
        int | None,
        Meta(
            description="The number of repositories in the list, if `count` asked for"
            " it. It is null if there are more than 10000, or if the application or the"
            " credentials decide about each repository and the list has several pages."
        ),
    ] = None


class RepositoryList(Paging, frozen=True):
    """The parameters of a list of repositories."""

    search: t.Annotated[
        ShortText, Meta(description="Only repositories whose name contains this text.")
    ] = ""
    under: t.Annotated[
        ShortText,
        Meta(
            description="Only the repository with this name, and repositories whose"
            " names begin with it as their first components."
        ),
    ] = ""
    kind: t.Annotated[
        Kind | t.Literal[""],
        Meta(description="Only repositories with content of this kind."),
    ] = ""
    visibility: t.Annotated[
        Visibility | t.Literal[""],
        Meta(description="Only repositories with this visibility."),
    ] = ""
    platform: t.Annotated[
        ShortText,
        Meta(
            description="Only repositories with an image for this platform, such as"
            " `linux/arm64`, which includes its variants."
        ),
    ] = ""
    order: t.Annotated[
        Order,
        Meta(
            description="By name, or the latest push, the most pulls or the largest"
            " size first. Sizes and pulls of the last minute may be missing."
        ),
    ] = "name"
    count: t.Annotated[
        bool, Meta(description="Whether to count the repositories of the list.")
    ] = False


class RepositoryChange(Body, frozen=True):
    """Changes to a repository. Omitted fields stay as they are. Either all changes are
    made, or none."""

    description: t.Annotated[
        Text | UnsetType,
        Meta(description="The new description, in Markdown; at most 60000 bytes."),
    ] = UNSET
    visibility: t.Annotated[
        Visibility | UnsetType,
        Meta(description="The new visibility; it applies from the next request on."),
    ] = UNSET
    name: t.Annotated[
        RepositoryName | UnsetType,
        Meta(
            description="The new name. The caller must be allowed to push to it."
            " Pulls by the old name continue to work."
        ),
    ] = UNSET
    owner: t.Annotated[
        ShortText | UnsetType, Meta(description="The name of the new owner.")
    ] = UNSET
