"""The access tokens of other users, for administrators."""

from __future__ import annotations

import typing as t

from ..errors import NameUnknown
from ..services import principal
from ..services import services
from . import paging
from .access import require_admin
from .bodies import Paging
from .bodies import RevokedTokens
from .bodies import TokenHolder
from .bodies import TokenHolders
from .bodies import TokenList
from .bodies import Tokens
from .tokens import is_token_id
from .tokens import page_of_tokens


def token_holders(query: Paging) -> TokenHolders:
    """List the users who have tokens, for administrators. Users who used a token last
    come first.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    """
    require_admin()
    catalog, size = services().catalog, paging.size(query)
    offset = paging.number(query.next) or 0
    rows = catalog.credentials.holders(size + 1, offset)
    page, position = paging.paginate(rows, size, lambda _: offset + size)
    names = catalog.users.names(row.user_id for row in page)
    items = [
        TokenHolder(
            user=names.get(row.user_id),
            access=row.access,
            refresh=row.refresh,
            last_used_at=row.last_used_at,
        )
        for row in page
    ]
    return TokenHolders(items=items, next=position)


def user_tokens(username: str, query: TokenList) -> Tokens:
    """List the access and refresh tokens of a user, newest first, for administrators.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such user.
    """
    return page_of_tokens(_user(username), query)


def revoke_user_tokens(username: str) -> RevokedTokens:
    """Revoke all tokens of a user at once, for administrators: access tokens, tokens
    that clients store, and tokens that were issued for a password.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such user.
    """
    user = _user(username)
    count = services().access_tokens.revoke_all(user, by=principal().user)
    return RevokedTokens(tokens=count)


def revoke_user_token(username: str, token_id: str) -> None:
    """Revoke a token of a user, and all tokens issued with it, for administrators.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such user, or the user has no such token.
    """
    user, tokens = _user(username), services().access_tokens
    if not is_token_id(token_id) or not tokens.revoke(
        token_id, user=user, by=principal().user
    ):
        raise NameUnknown("The user has no such token.", detail=token_id)


def _user(username: str) -> t.Any:
    """Return a user to an administrator."""
    require_admin()
    user = services().catalog.users.by_name(username) if "\0" not in username else None
    if user is None:
        raise NameUnknown("There is no such user.", detail=username)
    return user
