"""The base structures of requests and responses: lists, pages and errors."""

from __future__ import annotations

import typing as t

import msgspec
from msgspec import Meta

#: A short text that every database can compare.
ShortText = t.Annotated[str, Meta(max_length=255, pattern=r"^[^\u0000]*$")]

#: A name or an identifier, which is always ASCII.
AsciiText = t.Annotated[str, Meta(max_length=255, pattern=r"^[\u0001-\u007f]*$")]

Visibility = t.Literal["private", "internal", "public"]
Action = t.Literal["pull", "push", "delete", "manage"]
Limit = t.Annotated[int, Meta(ge=1, le=100)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object in a request or a response."""


class Paging(Body, frozen=True):
    """The parameters of a list that has pages."""

    limit: t.Annotated[
        Limit, Meta(description="The maximum number of entries on the page.")
    ] = 50
    next: t.Annotated[
        t.Annotated[str, Meta(max_length=2000)] | None,
        Meta(description="Where the page begins: the `next` of the previous page."),
    ] = None


class Page(Body, frozen=True):
    """One page of a list."""

    next: t.Annotated[
        str | None,
        Meta(
            description="The parameter `next` of the next page; null on the last page."
            " The header `Link` contains the whole address."
        ),
    ]


class Error(Body, frozen=True):
    """One error."""

    code: t.Annotated[
        str, Meta(description="The error code, as listed in the documentation.")
    ]
    message: t.Annotated[
        str, Meta(description="A description of the error and its solution.")
    ]
    detail: t.Annotated[
        str | msgspec.UnsetType,
        Meta(description="The value that caused the error, if it is known."),
    ] = msgspec.UNSET


class Errors(Body, frozen=True):
    """The reasons why a request failed."""

    errors: t.Annotated[list[Error], Meta(description="At least one error.")]
