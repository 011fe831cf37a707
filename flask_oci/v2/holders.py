"""Holders of a blob: repositories that link it and that the caller may pull from."""

from __future__ import annotations

import typing as t

from ..catalog import RepositoryInfo
from ..errors import Denied
from ..http.authorization import may
from ..services import principal
from ..services import services

if t.TYPE_CHECKING:
    from ..catalog import Condition
    from ..spec.digest import Digest
    from ..storage import Place


def readable_holder(
    digest: Digest,
    source: str | None,
    *,
    target: RepositoryInfo,
    counted: Condition | None = None,
) -> tuple[RepositoryInfo, Place] | None:
    """Return a repository that has a blob and that the caller may pull from, with the
    place of the blob, or None.

    The caller's own permissions decide, and not the access list of the bearer token:
    clients request the token before they know the source of a layer.

    If the policy is not an SQL condition, it is asked exactly once, because each
    question can execute statements, and their number would reveal how many hidden
    repositories have the blob. Without a ``source``, only the caller's own repositories
    are considered then.

    :param source: the name of the only repository to consider.
    :param target: the repository that the caller pushes to.
    :param counted: the condition of the repositories to consider.
    """
    parts, caller = services(), principal()
    own = (
        parts.catalog.repositories.owned_by(parts.catalog.users.key_of(caller.user))
        if caller.robot is None
        else parts.catalog.robots.reach_of(caller.robot)
    )
    seen = condition = parts.policy.list_filter(caller.caller)
    if seen is None and source is None:
        condition = own
    if counted is not None:
        condition = counted if condition is None else condition & counted
    found = parts.catalog.blobs.holders(digest, source, condition, own)
    if seen is None:
        first = _first(found, RepositoryInfo(source) if source else target)
        return _unblocked(first, digest)
    readable = (each for each in found if may("pull", each[0]))
    return _unblocked(next(readable, None), digest)


def _first(
    found: list[tuple[RepositoryInfo, Place]], other: RepositoryInfo
) -> tuple[RepositoryInfo, Place] | None:
    """Return the first holder if the caller may pull from it.

    :param other: the repository to ask about if there is no holder.
    """
    allowed = may("pull", found[0][0] if found else other)
    return found[0] if found and allowed else None


def _unblocked(
    holder: tuple[RepositoryInfo, Place] | None, digest: Digest
) -> tuple[RepositoryInfo, Place] | None:
    """Return a holder that the caller may pull from, unless the blob is blocked there.

    Only the caller's own permission decides whether this executes a statement.
    """
    if holder is None:
        return None
    try:
        services().blocks.check(holder[0], str(digest))
    except Denied:
        return None
    return holder
