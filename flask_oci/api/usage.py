"""Storage usage and quotas."""

from __future__ import annotations

from ..rules.quota import QuotaUsage
from ..services import services
from . import paging
from .access import authorize
from .access import signed_in_user
from .bodies import Paging
from .bodies import Quota
from .bodies import RepositoryUsage
from .bodies import Share
from .bodies import Shares
from .bodies import Usage


def usage() -> Usage:
    """Show the storage usage of all the caller's repositories, and the caller's quota.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that does not cover all repositories.
    """
    user, parts = signed_in_user(), services()
    usage = parts.quotas.show(owner=user)
    totals = parts.catalog.usage.totals_of(parts.catalog.users.key_of(user))
    return Usage(
        repositories=totals.repositories,
        bytes=usage.bytes,
        images=usage.images,
        quota=_quota(usage),
    )


def usage_by_repository(query: Paging) -> Shares:
    """List the caller's repositories with their storage usage, largest first.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that does not cover all repositories.
    """
    key, size = services().catalog.users.key_of(signed_in_user()), paging.size(query)
    offset = paging.number(query.next) or 0
    rows = services().catalog.usage.by_repository(size + 1, offset, key)
    shares = [
        Share(name=row.info.name, bytes=row.bytes, alone=row.alone) for row in rows
    ]
    items, position = paging.paginate(shares, size, lambda _: offset + size)
    return Shares(items=items, next=position)


def repository_usage(name: str) -> RepositoryUsage:
    """Show the storage usage and the quota of a repository. The caller must be allowed
    to push to it.

    :raises Denied: if the caller may not push.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    usage = services().quotas.show(repository=authorize(name, "push"))
    return RepositoryUsage(bytes=usage.bytes, images=usage.images, quota=_quota(usage))


def _quota(usage: QuotaUsage) -> Quota:
    return Quota(bytes=usage.quota.bytes, images=usage.quota.images)
