"""How much there is, and how much there may be."""

from __future__ import annotations

from ..rules.quota import QuotaUsage
from ..services import services
from . import paging
from .access import admit
from .access import member
from .bodies import Paging
from .bodies import Quota
from .bodies import RepositoryUsage
from .bodies import Share
from .bodies import Shares
from .bodies import Usage


def usage() -> Usage:
    """Show how much the caller's repositories take together, of how much.

    :raises Unauthorized: when nobody is known to ask.
    :raises Denied: when they sent a token that does not reach every repository.
    """
    user, parts = member(), services()
    standing = parts.quotas.show(owner=user)
    totals = parts.catalog.usage.totals(parts.catalog.users.key_of(user))
    return Usage(
        repositories=totals.repositories,
        bytes=standing.bytes,
        images=standing.images,
        quota=_quota(standing),
    )


def usage_by_repository(query: Paging) -> Shares:
    """List the caller's repositories and what they take, the largest first.

    :raises Unauthorized: when nobody is known to ask.
    :raises Denied: when they sent a token that does not reach every repository.
    """
    key, most = services().catalog.users.key_of(member()), paging.limit(query.limit)
    passed = paging.number(query.next) or 0
    rows = services().catalog.usage.by_repository(most + 1, passed, key)
    found = [
        Share(name=row.info.name, bytes=row.bytes, alone=row.alone) for row in rows
    ]
    shown, place = paging.cut(found, most, lambda _: passed + most)
    return Shares(items=shown, next=place)


def repository_usage(name: str) -> RepositoryUsage:
    """Show how much of a repository's quota is used, to who may push there.

    :raises Denied: when the caller may not.
    :raises NameUnknown: when there is none that the caller may see.
    """
    standing = services().quotas.show(repository=admit(name, "push"))
    return RepositoryUsage(
        bytes=standing.bytes, images=standing.images, quota=_quota(standing)
    )


def _quota(standing: QuotaUsage) -> Quota:
    return Quota(bytes=standing.quota.bytes, images=standing.quota.images)
