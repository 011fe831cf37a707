"""Explanations of why content is kept: the chain from a digest to the tags that need
it."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ..clock import utcnow
from ..spec.digest import Digest

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ..catalog import Catalog
    from ..config import Config

_MINUTE: t.Final = "%Y-%m-%d %H:%M UTC"


def explain(config: Config, catalog: Catalog, digest: Digest) -> Iterator[str]:
    """Yield lines that explain why garbage collection keeps a blob or a manifest.

    :param digest: the digest of the content, which need not exist.
    """
    holders = catalog.consistency.holders(digest)
    if not holders:
        yield f"No repository has {digest}."
    for holder in holders:
        yield f"{holder.name}"
        if holder.leased_at is not None:
            until = holder.leased_at + config.lease_lifetime
            if until > utcnow():
                yield f"  spared until {until:{_MINUTE}}"
        chain = _Chain(config, catalog, holder.id)
        yield from list(chain.lines(str(digest), "  ")) or ["  nothing needs it"]


class _Chain:
    """Follows the references to a digest within one repository."""

    def __init__(self, config: Config, catalog: Catalog, repository_id: int) -> None:
        self._config = config
        self._inspection = catalog.consistency
        self._retention = catalog.retention
        self._repository_id = repository_id
        self._seen: set[str] = set()

    def lines(self, digest: str, indent: str) -> Iterator[str]:
        """Yield the tags and manifests that keep a digest, and those that keep them."""
        self._seen.add(digest)
        if tags := self._inspection.tags_of(self._repository_id, digest):
            yield f"{indent}tagged {', '.join(tags)}"
        elif touched_at := self._inspection.touched_at(self._repository_id, digest):
            yield f"{indent}{self._untagged(digest, touched_at)}"
        for relation, other in self._inspection.keepers(self._repository_id, digest):
            if other not in self._seen:
                yield f"{indent}{relation} {other}"
                yield from self.lines(other, indent + "  ")

    def _untagged(self, digest: str, touched_at: datetime) -> str:
        lifetime = self._config.untagged_lifetime
        if lifetime is None:
            return "untagged; kept because OCI_UNTAGGED_LIFETIME is not set"
        end = touched_at + max(lifetime, self._config.lease_lifetime)
        if end > utcnow():
            return f"untagged; kept until {end:{_MINUTE}}"
        if left_at := self._left_at(digest):
            until = left_at + t.cast("timedelta", self._config.undo_period)
            return f"untagged; a deleted tag can be restored until {until:{_MINUTE}}"
        return "untagged"

    def _left_at(self, digest: str) -> datetime | None:
        window = self._config.undo_period
        if window is None:
            return None
        since = utcnow() - window
        return self._retention.left_at(self._repository_id, digest, since)
