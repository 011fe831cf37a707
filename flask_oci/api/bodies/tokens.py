"""The structures of access tokens."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta

from ...auth.limits import USUAL_DAYS
from .base import Action
from .base import Body
from .base import Page
from .base import Paging
from .base import ShortText

Pattern = t.Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\u0000]*$")]


class Token(Body, frozen=True):
    """An access token, or a refresh token such as docker stores."""

    id: t.Annotated[str, Meta(description="The id of the token.")]
    kind: t.Annotated[
        t.Literal["access", "refresh"], Meta(description="The type of the token.")
    ]
    name: t.Annotated[str, Meta(description="The name that its owner gave it.")]
    actions: t.Annotated[
        list[Action],
        Meta(
            description="The actions that the token allows. The user also needs"
            " permission for each of them."
        ),
    ]
    repositories: t.Annotated[
        list[str],
        Meta(
            description="Patterns of the repository names that the token covers; `*`"
            " matches any text."
        ),
    ]
    created_at: t.Annotated[datetime, Meta(description="When it was issued.")]
    expires_at: t.Annotated[
        datetime | None, Meta(description="When it expires; null for never.")
    ]
    last_used_at: t.Annotated[
        datetime | None,
        Meta(description="When it was last used, to within a minute; null for never."),
    ]


class Tokens(Page, frozen=True):
    """Tokens of a user, newest first."""

    items: t.Annotated[list[Token], Meta(description="The tokens.")]


class TokenList(Paging, frozen=True):
    """The parameters of a list of tokens."""

    kind: t.Annotated[
        t.Literal["", "access", "refresh"],
        Meta(
            description="Only access tokens, or only the refresh tokens that clients"
            " store; empty for both."
        ),
    ] = ""


class NewToken(Body, frozen=True):
    """An access token to issue."""

    actions: t.Annotated[
        list[Action],
        Meta(
            min_length=1, max_length=4, description="The actions that the token allows."
        ),
    ]
    repositories: t.Annotated[
        list[Pattern],
        Meta(
            min_length=1,
            max_length=100,
            description="Patterns of the repository names that the token covers; `*`"
            " matches any text.",
        ),
    ]
    name: t.Annotated[
        ShortText, Meta(description="A name by which the owner recognizes the token.")
    ] = ""
    days: t.Annotated[
        t.Annotated[int, Meta(ge=1, le=36_500)] | None,
        Meta(description="The number of days until the token expires; null for never."),
    ] = USUAL_DAYS


class IssuedToken(Body, frozen=True):
    """A new access token."""

    id: t.Annotated[str, Meta(description="The id that lists and revokes the token.")]
    secret: t.Annotated[
        str,
        Meta(
            description="The text to send instead of the password. It is never shown"
            " again."
        ),
    ]
    expires_at: t.Annotated[
        datetime | None, Meta(description="When it expires; null for never.")
    ]


class TokenHolder(Body, frozen=True):
    """A user who has tokens."""

    user: t.Annotated[
        str | None, Meta(description="The name of the user; null for a deleted user.")
    ]
    access: t.Annotated[int, Meta(description="The number of access tokens.")]
    refresh: t.Annotated[
        int, Meta(description="The number of refresh tokens, which clients store.")
    ]
    last_used_at: t.Annotated[
        datetime | None,
        Meta(description="When one of them was last used; null for never."),
    ]


class TokenHolders(Page, frozen=True):
    """Users who have tokens."""

    items: t.Annotated[list[TokenHolder], Meta(description="The users.")]


class RevokedTokens(Body, frozen=True):
    """The effect of a revocation."""

    tokens: t.Annotated[
        int, Meta(description="The number of access and refresh tokens.")
    ]
