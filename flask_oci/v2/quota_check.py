"""Quotas, as early as the protocol allows.

What is recorded is looked at once more in the transaction that records it. Here is what
spares a client from sending what would be refused in the end.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ..catalog.quotas import UPLOADS
from ..catalog.rules import RuleScope
from ..http.authorization import may
from ..http.warnings import warn
from ..services import principal
from ..services import services

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..rules.quota import QuotaExceeded
    from ..rules.quota import QuotaUsage
    from ..spec.digest import Digest

#: After how many seconds without a byte an upload is taken for broken off.
IDLE: t.Final = 120


@dataclass(frozen=True, slots=True)
class UploadAllowance:
    """How many bytes an upload may have."""

    bytes: int
    standing: QuotaUsage
    unfinished: int
    """How many are taken by other uploads."""

    def check(self, length: int) -> None:
        """Refuse an upload that will have more.

        :param length: how many it will have.
        :raises QuotaExceeded: when these are too many.
        """
        if length > self.bytes:
            raise self.exceeded(length)

    def exceeded(self, length: int | None = None) -> QuotaExceeded:
        """Return what somebody is told who sends more."""
        return self.standing.exceeded(length, self.unfinished)


def room(
    repository: RepositoryInfo, *, digest: Digest | None = None, session: str = ""
) -> UploadAllowance | None:
    """Return how many bytes an upload may have, or None where there is no limit.

    :param digest: of what is uploaded, if that is known. What is there already takes
        no more room.
    :param session: the upload, which does not count against itself.
    """
    quotas = services().catalog.quotas
    if not quotas.apply_to(repository):
        return None
    pusher_id = services().catalog.users.key_of(principal().user)
    found = []
    for holder, standing in quotas.of(repository, pusher_id):
        _warn(standing)
        limit = standing.quota.bytes
        if limit is None:
            continue
        active, idle, too_many = _unfinished(holder, session)
        # What was broken off is in nobody's way, unless there is too much of it.
        left = min(limit - standing.bytes - active, limit - active - idle)
        if too_many:
            left = 0
        known = _counted(repository, holder, digest)
        found.append(UploadAllowance(max(left, known), standing, active))
    return min(found, key=lambda room: room.bytes, default=None)


def _counted(
    repository: RepositoryInfo, holder: RuleScope, digest: Digest | None
) -> int:
    """Return how many bytes a blob has that is counted already, where the caller may
    read it; 0 is for any other."""
    if digest is None:
        return 0
    parts = services()
    blobs, counted = parts.catalog.blobs, parts.catalog.quotas.counted_for(holder)
    seen = parts.policy.list_filter(principal().user)
    for info, size in (
        *blobs.holders(digest, repository.name, counted),
        *blobs.holders(digest, None, counted if seen is None else counted & seen),
    ):
        if info.id == repository.id or may("pull", info):
            return size
    return 0


def warn_if_nearly_full(repository: RepositoryInfo) -> None:
    """Have the current answer warn who has nearly all that they may have."""
    quotas = services().catalog.quotas
    if repository.exists and quotas.apply_to(repository):
        for _, standing in quotas.of(repository, None):
            _warn(standing)


def _warn(standing: QuotaUsage) -> None:
    if standing.warning is not None:
        warn(standing.warning)


def _unfinished(holder: RuleScope, session: str) -> tuple[int, int, bool]:
    """Return how many bytes other uploads have, that go on and that do not, and whether
    there are more of them than are looked at."""
    parts, active, idle = services(), 0, 0
    uuids = parts.catalog.quotas.uploads(holder)
    for uuid in uuids:
        progress = parts.storage.upload_progress(uuid) if uuid != session else None
        if progress is None:
            continue
        if time.time() - progress.touched_at < IDLE:
            active += progress.length
        else:
            idle += progress.length
    return active, idle, len(uuids) >= UPLOADS
