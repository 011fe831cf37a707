"""The quotas of owners, repositories and paths, for administrators."""

from __future__ import annotations

import typing as t

from ..errors import NameUnknown
from ..services import principal
from ..services import services
from . import paging
from .access import require_admin
from .bodies import Paging
from .bodies import ScopedQuota
from .bodies import ScopedQuotas
from .refusals import unsupported_if_invalid


def quotas(query: Paging) -> ScopedQuotas:
    """List the quotas that are set, for administrators.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    """
    require_admin()
    size, offset = paging.size(query), paging.number(query.next) or 0
    found = services().quotas.list()[offset : offset + size + 1]
    page, position = paging.paginate(found, size, lambda _: offset + size)
    items = [
        ScopedQuota(
            repository=entry.repository,
            owner=entry.owner,
            path=entry.path,
            bytes=entry.value.bytes,
            images=entry.value.images,
        )
        for entry in page
    ]
    return ScopedQuotas(items=items, next=position)


def set_quota(body: ScopedQuota) -> ScopedQuota:
    """Set the quota of a repository, of all repositories of an owner, or of a path, for
    administrators; two nulls unset it.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such repository or user.
    :raises Unsupported: 422, unless exactly one of the scopes is given, or if a value
        is invalid.
    """
    require_admin()
    scope: dict[str, t.Any] = {"repository": body.repository, "path": body.path}
    if body.owner is not None:
        scope["owner"] = services().catalog.users.by_name(body.owner)
        if scope["owner"] is None:
            raise NameUnknown("There is no such user.", detail=body.owner)
    rule_set, by = services().quotas, principal().user
    with unsupported_if_invalid():
        if body.bytes is None and body.images is None:
            rule_set.unset(**scope, by=by)
        else:
            rule_set.set(**scope, bytes=body.bytes, images=body.images, by=by)
    return body
