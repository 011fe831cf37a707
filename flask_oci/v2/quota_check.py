"""Quota checks before an upload, as early as the protocol allows.

The transaction that records content checks the quota again. These checks spare clients
from sending bytes that would be refused in the end.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ..catalog.quotas import UPLOADS
from ..catalog.rules import RuleScope
from ..http.warnings import warn
from ..rules.quota import QuotaExceeded
from ..services import principal
from ..services import services
from .holders import readable_holder
from .upload_sessions import end_empty_sessions
from .upload_sessions import end_lost_sessions

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..rules.quota import QuotaUsage
    from ..spec.digest import Digest


#: An upload that has received no bytes for this many seconds counts as broken off.
IDLE: t.Final = 120


@dataclass(frozen=True, slots=True)
class UploadAllowance:
    """The number of bytes that an upload may have."""

    bytes: int
    usage: QuotaUsage
    unfinished: int
    """The number of bytes that other unfinished uploads have."""

    is_crowded: bool = False
    """Whether there are more unfinished uploads than the registry can examine."""

    def check(self, length: int) -> None:
        """Refuse an upload that is too large.

        :param length: the expected length of the upload in bytes.
        :raises QuotaExceeded: if the upload is too large.
        """
        if length > self.bytes:
            raise self.exceeded(length)

    def exceeded(self, length: int | None = None) -> QuotaExceeded:
        """Return the error for an upload that is too large.

        :param length: the expected length of the upload in bytes, or None if it is
            unknown.
        """
        if self.is_crowded:
            return QuotaExceeded(
                f"{self.usage.name} has more than {UPLOADS} unfinished uploads; finish"
                " or cancel some of them."
            )
        return self.usage.exceeded(length, self.unfinished)


def upload_allowance(
    repository: RepositoryInfo, *, digest: Digest | None = None, session: str = ""
) -> UploadAllowance | None:
    """Return the allowance of an upload, or None if there is no limit.

    :param digest: the digest of the upload, if it is known. A blob that is already
        counted needs no further space.
    :param session: the upload's own session, whose bytes are not counted.
    """
    quotas = services().catalog.quotas
    if not quotas.apply_to(repository):
        return None
    pusher_id = services().catalog.users.key_of(principal().caller)
    allowances = []
    for scope, usage in quotas.of(repository, pusher_id):
        _warn(usage)
        limit = usage.quota.bytes
        if limit is None:
            continue
        active, idle, too_many = _unfinished(scope, session, pusher_id)
        # Idle uploads count only if they have more bytes than are recorded.
        left = min(limit - usage.bytes - active, limit - active - idle)
        if too_many:
            left = 0
        known = _counted(repository, scope, digest)
        allowances.append(UploadAllowance(max(left, known), usage, active, too_many))
    return min(allowances, key=lambda allowance: allowance.bytes, default=None)


def _counted(
    repository: RepositoryInfo, scope: RuleScope, digest: Digest | None
) -> int:
    """Return the size in bytes of a blob that the quota already counts, if the caller
    may read it; otherwise 0."""
    if digest is None:
        return 0
    catalog = services().catalog
    counted = catalog.quotas.counted_for(scope)
    own = catalog.blobs.holders(digest, repository.name, counted)
    found = readable_holder(digest, None, target=repository, counted=counted)
    if own and own[0][0].id == repository.id:
        return own[0][1].size
    return 0 if found is None else found[1].size


def warn_if_nearly_full(repository: RepositoryInfo) -> None:
    """Add a warning to the current response if a quota is nearly used up."""
    quotas = services().catalog.quotas
    if repository.exists and quotas.apply_to(repository):
        for _, usage in quotas.of(repository, None):
            _warn(usage)


def _warn(usage: QuotaUsage) -> None:
    if usage.warning is None:
        return
    if services().policy.may_see_usage(principal().user, usage):
        warn(usage.warning)


def _unfinished(
    scope: RuleScope, session: str, pusher_id: t.Any
) -> tuple[int, int, bool]:
    """Return how many bytes other active and idle uploads have, and whether there are
    more uploads than are examined.

    Uploads of users who may no longer push end here, and so do empty ones if there are
    too many uploads.
    """
    parts, active, idle = services(), 0, 0
    sessions = parts.catalog.quotas.uploads(scope)
    is_crowded = len(sessions) >= UPLOADS
    found = [other for other in sessions if other.uuid != session]
    ended = end_lost_sessions(found, pusher_id)
    if is_crowded and not ended:
        ended = end_empty_sessions(found)
    for other in found:
        progress = parts.storage.upload_progress(other.uuid)
        if progress is None or other.uuid in ended:
            continue
        if time.time() - progress.touched_at < IDLE:
            active += progress.length
        else:
            idle += progress.length
    return active, idle, is_crowded and not ended
