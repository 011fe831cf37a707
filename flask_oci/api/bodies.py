"""What is sent and answered, each as one frozen structure.

The document describes them from here: the first docstring is that of the schema, and
the text below a field is the field's.
"""

from __future__ import annotations

import typing as t
from datetime import datetime

import msgspec

from ..spec.reference import NAME_MAX_LENGTH
from ..spec.reference import NAME_PATTERN
from .paging import Name

Visibility = t.Literal["private", "internal", "public"]
Action = t.Literal["pull", "push", "delete", "manage"]
Limit = t.Annotated[int, msgspec.Meta(ge=1, le=100)]
RepositoryName = t.Annotated[
    str, msgspec.Meta(max_length=NAME_MAX_LENGTH, pattern=f"^{NAME_PATTERN}$")
]
Text = t.Annotated[str, msgspec.Meta(pattern=r"^[^\u0000]*$")]
Pattern = t.Annotated[
    str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\u0000]*$")
]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that is sent or answered as JSON."""


class Paging(Body, frozen=True):
    """Which part of a list is wanted."""

    limit: Limit = 50
    """How many entries to list at the most."""

    next: t.Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    """Where to go on: the ``next`` of the page before."""


class Page(Body, frozen=True):
    """A part of a list."""

    next: str | None
    """Where the list goes on, for the parameter ``next``; null at its end. The header
    ``Link`` has the whole address."""


class Welcome(Body, frozen=True):
    """Who asks, and how far what they sent reaches."""

    user: str | None
    """The name of the user, or null for somebody who is not known."""

    actions: list[Action]
    """What the credentials can be used for, where the user may do it."""

    repositories: list[str]
    """Patterns of the names that they reach; ``*`` is any text."""


class Error(Body, frozen=True):
    """Something that went wrong."""

    code: str
    """What it was, as on the page of errors."""

    message: str
    """What to do about it."""

    detail: str | msgspec.UnsetType = msgspec.UNSET
    """What it is about, where that can be said."""


class Errors(Body, frozen=True):
    """Why a request was not done."""

    errors: list[Error]
    """At least one."""


class Repository(Body, frozen=True):
    """A repository, and how much is in it."""

    name: str
    owner: str | None
    """The name of the user whose it is; null when it is nobody's."""

    visibility: Visibility
    """Who may see it, beside those who have a right to it."""

    description: str
    """In Markdown."""

    tags: int
    """How many there are."""

    bytes: int
    """Of its blobs, each counted once. Other repositories may share them."""

    pulls: int
    """How often its manifests were pulled, up to a while ago."""

    pushed_at: datetime
    """When something was last pushed to it."""


class Repositories(Page, frozen=True):
    """Repositories that the caller may pull from."""

    items: list[Repository]


class RepositoryList(Paging, frozen=True):
    """Which repositories are wanted."""

    search: Name = ""
    """What the names have in them."""

    under: Name = ""
    """The name of one, or the first components of some."""

    order: t.Literal["name", "pushed"] = "name"
    """By name, or the last pushed to first."""


class RepositoryChange(Body, frozen=True):
    """What to change about a repository; the rest stays. All of it is done, or none."""

    description: Text | msgspec.UnsetType = msgspec.UNSET
    """In Markdown, of at most 60000 bytes."""

    visibility: Visibility | msgspec.UnsetType = msgspec.UNSET
    """Who may see it from the next request on."""

    name: RepositoryName | msgspec.UnsetType = msgspec.UNSET
    """Another name, which the caller may push to. Pulls by the old one go on."""

    owner: Name | msgspec.UnsetType = msgspec.UNSET
    """The name of the user to give it to."""


class Tag(Body, frozen=True):
    """A tag and what it points at; what has no tag has null as its name."""

    name: str | None
    digest: str
    media_type: str
    kind: str
    """What it is for: ``image``, ``index``, ``chart``, ``signature``, …"""

    bytes: int
    """Of the blobs that it needs, each counted once."""

    platforms: list[str]
    """Such as ``linux/amd64``."""

    attached: list[str]
    """The kinds of what there is beside it: ``signature``, ``sbom``, …"""

    moved_at: datetime
    """When the tag was last pointed at something else, or what has none was pushed."""

    pushed_at: datetime
    pushed_by: str | None
    """The name of the user who pushed it."""

    pulled_at: datetime | None
    """When it was last pulled, give or take an hour."""


class Tags(Page, frozen=True):
    """Tags of a repository, or manifests without one."""

    items: list[Tag]


class TagList(Paging, frozen=True):
    """Which tags are wanted."""

    search: Name = ""
    """What the names have in them."""

    order: t.Literal["name", "moved"] = "name"
    """By name, or the last moved first."""

    show: t.Literal["tags", "attached", "untagged"] = "tags"
    """``attached`` are the tags that clients make for signatures and the like;
    ``untagged`` are the manifests that have no tag, belong to no index and refer to
    nothing, the last pushed first."""


class Descriptor(Body, frozen=True):
    """What an index says about one of its children."""

    digest: str
    media_type: str
    size: int
    """Of the manifest, in bytes."""

    platform: str | None


class Referrer(Body, frozen=True):
    """A manifest that says that it is about another."""

    digest: str
    media_type: str
    artifact_type: str | None
    kind: str
    size: int
    """Of the manifest, in bytes."""


class Image(Body, frozen=True):
    """An image, or whatever else a manifest is."""

    digest: str
    media_type: str
    artifact_type: str | None
    kind: str
    """What it is for: ``image``, ``index``, ``chart``, ``signature``, …"""

    size: int
    """Of the manifest, in bytes."""

    bytes: int
    """Of the blobs that it needs, each counted once."""

    tags: list[str]
    """Those that point at it."""

    platforms: list[str]
    annotations: dict[str, str]
    subject: str | None
    """The digest of what it says that it is about."""

    children: list[Descriptor]
    """What an index has in it."""

    referrers: list[Referrer]
    """What says that it is about this."""

    part_of: list[str]
    """The digests of indexes that have it in them."""

    pushed_at: datetime
    pushed_by: str | None
    pulled_at: datetime | None
    """When it was last pulled, give or take an hour."""


class Quota(Body, frozen=True):
    """How much there may be; null is any amount."""

    bytes: int | None
    images: int | None


class RepositoryUsage(Body, frozen=True):
    """How much of a repository's quota is used."""

    bytes: int
    """Of blobs, each counted once, and of manifests."""

    images: int
    """How many images have a tag."""

    quota: Quota


class Usage(Body, frozen=True):
    """How much the caller's repositories take together."""

    repositories: int
    """How many there are."""

    bytes: int
    """Of blobs, each counted once, and of manifests."""

    images: int
    """How many images have a tag."""

    quota: Quota


class Share(Body, frozen=True):
    """How much one of the caller's repositories takes."""

    name: str
    bytes: int
    """Of its blobs, each counted once."""

    alone: int
    """What of that no other repository of the caller's shares."""


class Shares(Page, frozen=True):
    """The caller's repositories, those that take most first."""

    items: list[Share]


class Move(Body, frozen=True):
    """That a tag was made, moved or taken away."""

    id: int
    tag: str
    from_digest: str | None
    """What it pointed at before; null is nothing."""

    to_digest: str | None
    """What it has pointed at since; null is nothing."""

    moved_at: datetime
    moved_by: str | None
    """The name of the user who did it."""

    can_be_undone: bool
    """Whether what it pointed at before is still there."""


class Moves(Page, frozen=True):
    """What became of the tags of a repository, the last of it first."""

    items: list[Move]


class MoveList(Paging, frozen=True):
    """Which moves are wanted."""

    tag: Name = ""
    """Those of this tag; empty is of any."""


class RetentionRules(Body, frozen=True):
    """By which rules the tags of a repository go."""

    rules: list[Name]
    """Sentences such as ``keep 10 newest`` and ``delete * not pulled for 90 days``.
    Where there are none, those of the owner count, or else the site's."""


class Verdict(Body, frozen=True):
    """What would become of a tag, or of a manifest without one, and why."""

    tag: str | None
    """The tag, or null where it is about a manifest."""

    digest: str
    """Of the manifest, or of what the tag points at."""

    deleted: bool
    """Whether it would go."""

    rule: str | None
    """The rule that says so, or null where none does."""

    reason: str
    """Why, in words."""


class Verdicts(Page, frozen=True):
    """What rules would make of a repository now; those that delete come first."""

    deleted: int
    """How many tags and manifests would go."""

    kept: int
    """How many would stay."""

    items: list[Verdict]


class ProtectedTags(Body, frozen=True):
    """Patterns of tags, in which ``*`` is any text and ``?`` any character."""

    protected: list[Name]
    """Those that only who may manage the repository can move or delete."""

    immutable: list[Name]
    """Those that nobody can, as long as the pattern stands."""


class Token(Body, frozen=True):
    """An access token, or a refresh token, which is what docker keeps."""

    id: str
    kind: t.Literal["access", "refresh"]
    name: str
    """What its owner calls it."""

    actions: list[Action]
    """What it can be used for, where its user may do it."""

    repositories: list[str]
    """Patterns of the names that it reaches; ``*`` is any text."""

    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """When it was last used, give or take a minute."""


class Tokens(Page, frozen=True):
    """The caller's tokens, the newest first."""

    items: list[Token]


class NewToken(Body, frozen=True):
    """An access token to be made."""

    actions: t.Annotated[list[Action], msgspec.Meta(min_length=1, max_length=4)]
    """What it can be used for."""

    repositories: t.Annotated[list[Pattern], msgspec.Meta(min_length=1, max_length=100)]
    """Patterns of the names that it reaches; ``*`` is any text."""

    name: Name = ""
    """What to call it."""

    days: t.Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    """After how many days it ends by itself; null is never."""


class IssuedToken(Body, frozen=True):
    """A new access token."""

    id: str
    """By which it is listed and revoked."""

    secret: str
    """What to send in the place of the password. It is not shown again."""

    expires_at: datetime | None


class Event(Body, frozen=True):
    """Something that happened."""

    id: int
    """That of a later event of the same repository is greater."""

    uuid: str
    """What a webhook that is told twice knows it by."""

    kind: str
    """Such as ``manifest.pushed``."""

    repository: str | None
    at: datetime
    data: dict[str, t.Any]
    """What is known of it beside that."""


class Events(Page, frozen=True):
    """What happened to everybody's repositories, the last of it first."""

    items: list[Event]


class EventList(Paging, frozen=True):
    """Which events are wanted."""

    repository: Name = ""
    """Those of the repository of this name; empty is of all."""

    kind: Name = ""
    """Those of this kind; empty is of any."""
