"""The result of a garbage collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from ..rules.quota import readable
from ..rules.wording import plural
from .items import in_words

if t.TYPE_CHECKING:
    from ..spec.digest import Digest


@dataclass
class GarbageResult:
    """The content that a garbage collection deleted, or would delete."""

    uploads: list[str] = field(default_factory=list)
    """The upload sessions that were idle for too long."""

    manifests: list[tuple[str, Digest]] = field(default_factory=list)
    """The manifests that are not needed, each with its repository."""

    links: list[tuple[str, Digest]] = field(default_factory=list)
    """The blobs that a repository does not need, each with the repository."""

    blobs: list[Digest] = field(default_factory=list)
    """The blobs that no repository needs."""

    freed: int = 0
    """The size of the deleted content in bytes. The space of an object in a store is
    free after the grace period."""

    discarded: int = 0
    """The number of objects and files that were kept for the grace period after the
    last row that named them had changed, and that were deleted now."""

    failures: list[str] = field(default_factory=list)
    """The items that could not be collected, each with the reason. The next collection
    tries them again."""

    def counts(self) -> dict[str, int]:
        """Return the number of deleted objects of each kind, and the freed bytes."""
        return {
            "uploads": len(self.uploads),
            "manifests": len(self.manifests),
            "links": len(self.links),
            "blobs": len(self.blobs),
            "freed": self.freed,
            "failures": len(self.failures),
        }

    def summary(self) -> str:
        """Return the deleted content in words."""
        return (
            f"Deleted {plural(len(self.uploads), 'idle upload')},"
            f" {plural(len(self.manifests), 'manifest')} and"
            f" {plural(len(self.blobs), 'blob')}, {readable(self.freed)}."
        )

    def failure(self) -> str | None:
        """Return the failed items in words, or None without failures."""
        return in_words(self.failures)
