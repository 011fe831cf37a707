"""The access tokens of the caller."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ..auth.limits import UselessPattern
from ..errors import Denied
from ..errors import NameUnknown
from ..errors import Unsupported
from ..services import principal
from ..services import services
from . import paging
from .access import signed_in_user
from .bodies import IssuedToken
from .bodies import NewToken
from .bodies import Token
from .bodies import TokenList
from .bodies import Tokens


def tokens(query: TokenList) -> Tokens:
    """List the caller's access and refresh tokens, newest first.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    """
    return page_of_tokens(signed_in_user("manage"), query)


def create_token(body: NewToken) -> IssuedToken:
    """Issue an access token. Only this response contains its secret.

    If the caller sends an access token, the new token has at most its actions, expires
    with it, and cannot issue tokens.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories, that allows fewer actions than the new one, or that was itself
        issued with a token.
    :raises Unsupported: 422, if a pattern matches no repository name.
    """
    user, caller = signed_in_user("manage"), principal()
    # Authentication checks each parent of a token, so chains stay short.
    if caller.credential is not None and caller.credential.parent_id is not None:
        raise Denied("A token that was issued with a token cannot issue tokens.")
    if not all(caller.credential_allows(action, "") for action in body.actions):
        raise Denied("A token cannot issue a token with more actions than its own.")
    try:
        issued = services().access_tokens.issue(
            user,
            name=body.name,
            actions=body.actions,
            repositories=body.repositories,
            expires=None if body.days is None else timedelta(days=body.days),
            parent=caller.credential,
        )
    except UselessPattern as error:
        raise Unsupported(str(error), detail=error.pattern, status=422) from None
    return IssuedToken(id=issued.id, secret=issued.secret, expires_at=issued.expires_at)


def revoke_token(token_id: str) -> None:
    """Revoke one of the caller's tokens, and all tokens issued with it.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if the caller has no such token.
    """
    user = signed_in_user("manage")
    tokens = services().access_tokens
    if not is_token_id(token_id) or not tokens.revoke(token_id, user=user):
        raise NameUnknown("You have no such token.", detail=token_id)


def page_of_tokens(user: t.Any, query: TokenList) -> Tokens:
    """Return a page of the tokens of a user."""
    catalog, size = services().catalog, paging.size(query)
    rows = catalog.credentials.page(
        catalog.users.key_of(user),
        size + 1,
        paging.position(query.next),
        query.kind or None,
    )
    page, position = paging.paginate(rows, size, lambda row: (row.id, row.created_at))
    items = [
        Token(
            id=row.id,
            kind=t.cast(t.Any, row.kind),
            name=row.name,
            actions=t.cast(t.Any, list(row.actions)),
            repositories=list(row.repositories),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
        )
        for row in page
    ]
    return Tokens(items=items, next=position)


def is_token_id(text: str) -> bool:
    """Return True if a text can be the id of a token. Some databases raise an error
    when they compare other characters."""
    return text.isascii() and text.isalnum()
