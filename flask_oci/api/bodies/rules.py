"""The structures of retention rules and protected tags."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta
from msgspec import UNSET
from msgspec import UnsetType

from .base import Body
from .base import Page
from .base import ShortText


class Inherited(Body, frozen=True):
    """The origin of a rule that a repository inherits."""

    source: t.Annotated[
        t.Literal["path", "owner", "site"],
        Meta(description="Where the rule is set; `site` is the configuration."),
    ]
    source_name: t.Annotated[
        str, Meta(description="The path, or the name of the owner; empty for the site.")
    ]


class InheritedRetention(Inherited, frozen=True):
    """The retention rules that apply to a repository without rules of its own."""

    rules: t.Annotated[list[str], Meta(description="The rules.")]


class InheritedProtection(Inherited, frozen=True):
    """Patterns of tags that apply to a repository in addition to its own."""

    protected: t.Annotated[list[str], Meta(description="Patterns of protected tags.")]
    immutable: t.Annotated[list[str], Meta(description="Patterns of immutable tags.")]


class RetentionRules(Body, frozen=True):
    """The retention rules of a repository, which decide what is deleted."""

    rules: t.Annotated[
        list[ShortText],
        Meta(
            description="Rules such as `keep 10 newest` and `delete * not pulled for 90"
            " days`. If the list is empty, the rules of the owner apply, or else those"
            " of the site."
        ),
    ]
    inherited: t.Annotated[
        InheritedRetention | UnsetType,
        Meta(
            description="The rules that apply if the list is empty. Ignored in a"
            " request."
        ),
    ] = UNSET


class Verdict(Body, frozen=True):
    """The result of retention rules for a tag or an untagged manifest."""

    tag: t.Annotated[
        str | None, Meta(description="The tag; null for an untagged manifest.")
    ]
    digest: t.Annotated[str, Meta(description="The digest of the manifest.")]
    deleted: t.Annotated[bool, Meta(description="Whether it would be deleted.")]
    rule: t.Annotated[
        str | None, Meta(description="The rule that decides; null if no rule does.")
    ]
    path: t.Annotated[
        str | None,
        Meta(
            description="The path of the rule, such as `website/*`; null for a rule of"
            " the repository, its owner or the site."
        ),
    ]
    reason: t.Annotated[str, Meta(description="The reason, in words.")]
    due_at: t.Annotated[
        datetime | None,
        Meta(
            description="When the rule will delete what it keeps now, if nothing"
            " changes; null if no time is known."
        ),
    ]


class Verdicts(Page, frozen=True):
    """The results of retention rules for a repository; deletions come first."""

    deleted: t.Annotated[
        int, Meta(description="The number of tags and manifests to delete.")
    ]
    kept: t.Annotated[
        int, Meta(description="The number of tags and manifests to keep.")
    ]
    items: t.Annotated[list[Verdict], Meta(description="The results on this page.")]


class PathVerdict(Verdict, frozen=True):
    """The result of retention rules for a tag or an untagged manifest in a path."""

    repository: t.Annotated[str, Meta(description="The name of the repository.")]


class PathVerdicts(Page, frozen=True):
    """The results of retention rules for the repositories of a path; deletions come
    first."""

    deleted: t.Annotated[
        int, Meta(description="The number of tags and manifests to delete.")
    ]
    kept: t.Annotated[
        int, Meta(description="The number of tags and manifests to keep.")
    ]
    complete: t.Annotated[
        bool,
        Meta(
            description="Whether all repositories were examined that the caller may"
            " pull from; the first 50 are."
        ),
    ]
    items: t.Annotated[list[PathVerdict], Meta(description="The results on this page.")]


class ProtectedTags(Body, frozen=True):
    """Patterns of tags, in which `*` matches any text and `?` any character."""

    protected: t.Annotated[
        list[ShortText],
        Meta(
            description="Tags that only users who may manage the repository can move or"
            " delete."
        ),
    ]
    immutable: t.Annotated[
        list[ShortText],
        Meta(
            description="Tags that no user can move or delete while the pattern is set."
        ),
    ]
    inherited: t.Annotated[
        list[InheritedProtection] | UnsetType,
        Meta(
            description="Patterns of a path, of the owner and of the site, which apply"
            " as well. Ignored in a request."
        ),
    ] = UNSET
