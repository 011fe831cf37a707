"""The access tokens of the caller."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ..errors import Denied
from ..errors import NameUnknown
from ..services import principal
from ..services import services
from . import paging
from .access import member
from .bodies import IssuedToken
from .bodies import NewToken
from .bodies import Paging
from .bodies import Token
from .bodies import Tokens


def tokens(query: Paging) -> Tokens:
    """List the access and refresh tokens of the caller, the newest first.

    :raises Unauthorized: when nobody is known to ask.
    :raises Denied: when they sent a token that does not manage everything of theirs.
    """
    catalog, most = services().catalog, paging.limit(query.limit)
    found = catalog.credentials.page(
        catalog.users.key_of(member("manage")), most + 1, paging.place(query.next)
    )
    shown, place = paging.cut(found, most, lambda made: (made.id, made.created_at))
    items = [
        Token(
            id=made.id,
            kind=t.cast(t.Any, made.kind),
            name=made.name,
            actions=t.cast(t.Any, list(made.actions)),
            repositories=list(made.repositories),
            created_at=made.created_at,
            expires_at=made.expires_at,
            last_used_at=made.last_used_at,
        )
        for made in shown
    ]
    return Tokens(items=items, next=place)


def create_token(body: NewToken) -> IssuedToken:
    """Make an access token, and show its secret, this once.

    One that is made with another token is for no more than that one, ends with it, and
    makes no others.

    :raises Unauthorized: when nobody is known to ask.
    :raises Denied: when they sent a token that does not manage everything of theirs, or
        that is for less than the new one, or was itself made with a token.
    """
    user, asking = member("manage"), principal()
    # Whether a token is good is asked of all that it was made with, one by one.
    if asking.credential is not None and asking.credential.parent_id is not None:
        raise Denied("A token that was made with a token makes no others.")
    if not all(asking.credential_allows(action, "") for action in body.actions):
        raise Denied("A token cannot make another one that is for more than itself.")
    issued = services().access_tokens.issue(
        user,
        name=body.name,
        actions=body.actions,
        repositories=body.repositories,
        expires=None if body.days is None else timedelta(days=body.days),
        parent=asking.credential,
    )
    return IssuedToken(id=issued.id, secret=issued.secret, expires_at=issued.expires_at)


def revoke_token(token_id: str) -> None:
    """End one of the caller's tokens, and whatever was had with it.

    :raises Unauthorized: when nobody is known to ask.
    :raises Denied: when they sent a token that does not manage everything of theirs.
    :raises NameUnknown: when they have no such token.
    """
    user = member("manage")
    # A database may refuse to compare other characters.
    known = token_id.isascii() and token_id.isalnum()
    if not known or not services().access_tokens.revoke(token_id, user=user):
        raise NameUnknown("You have no such token.", detail=token_id)
