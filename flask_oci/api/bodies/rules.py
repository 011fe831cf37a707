"""The structures of retention rules and protected tags."""

from __future__ import annotations

import typing as t

from msgspec import Meta

from .base import Body
from .base import Page
from .base import ShortText


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


class Verdicts(Page, frozen=True):
    """The results of retention rules for a repository; deletions come first."""

    deleted: t.Annotated[
        int, Meta(description="The number of tags and manifests to delete.")
    ]
    kept: t.Annotated[
        int, Meta(description="The number of tags and manifests to keep.")
    ]
    items: t.Annotated[list[Verdict], Meta(description="The results on this page.")]


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
