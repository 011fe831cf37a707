"""Collection: deleting what nothing needs, while pushes run.

A client that was told that a blob is there relies on it until it has pushed the
manifest. Such a promise is a lease, and is kept for the grace period; so is what a
manifest needed that has been deleted, for a backup may still name it. Beyond that,
whatever a tag leads to is kept, and whatever that needs.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from dataclasses import field
from itertools import islice

from ..changes import Change
from ..changes import COLLECTED
from ..clock import utcnow
from ..errors import BlobUploadInvalid
from ..errors import BlobUploadUnknown

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from datetime import datetime

    from ..catalog import Catalog
    from ..config import Config
    from ..spec.digest import Digest
    from ..storage import Storage

    Progress = Callable[[str], None]


#: How many files are looked up in one statement.
BATCH: t.Final = 500


@dataclass
class GarbageResult:
    """What a collection deleted, or would delete."""

    uploads: list[str] = field(default_factory=list)
    """Upload sessions that were idle for too long."""

    manifests: list[tuple[str, Digest]] = field(default_factory=list)
    """Manifests that nothing needs, each with its repository."""

    links: list[tuple[str, Digest]] = field(default_factory=list)
    """Blobs that a repository no longer needs, each with the repository."""

    blobs: list[Digest] = field(default_factory=list)
    """Blobs that no repository needs."""

    freed: int = 0
    """How many bytes are gone from the disk."""

    def counts(self) -> dict[str, int]:
        """Return how many there were of each."""
        return {
            "uploads": len(self.uploads),
            "manifests": len(self.manifests),
            "links": len(self.links),
            "blobs": len(self.blobs),
            "freed": self.freed,
        }


class GarbageCollector:
    """Collects the garbage of one application.

    :param dry_run: whether to find it only.
    :param progress: told what is being done, in a few words, now and then.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        storage: Storage,
        *,
        dry_run: bool = False,
        progress: Progress = lambda _: None,
    ) -> None:
        self._config = config
        self._garbage = catalog.garbage
        self._outbox = catalog.outbox
        self._ask = catalog.ask
        self._mention = catalog.record_if_observed
        self._release = catalog.release
        self._storage = storage
        self._dry_run = dry_run
        self._progress = progress
        self._collected = GarbageResult()
        self._leases_end = utcnow() - config.lease_lifetime

    def run(self) -> GarbageResult:
        """Collect everything, in the order in which one thing frees the next.

        :raises Denied: when a receiver of ``collection_starting`` refuses.
        """
        if not self._dry_run:
            self._ask(Change(kind=COLLECTED))
        repositories = self._garbage.repositories()
        self._progress("upload sessions")
        self._collect_uploads()
        for repository_id, name in repositories:
            self._progress(name)
            self._collect_manifests(repository_id, name)
            self._collect_links(repository_id, name)
        self._progress("blobs")
        self._collect_blobs()
        self._progress("files")
        # Beside a database that knows of nothing, files are more likely to be
        # another database's than nobody's.
        if repositories:
            self._collect_files()
        self._release()
        if not self._dry_run:
            self._prune_events()
            self._mention(Change(kind=COLLECTED, detail=self._collected.counts()))
        return self._collected

    def _prune_events(self) -> None:
        lifetime = self._config.event_lifetime
        self._outbox.prune(utcnow() - lifetime)

    def _collect_uploads(self) -> None:
        before = utcnow() - self._config.upload_lifetime
        begun = self._garbage.uploads_begun(before)
        # A session's file comes after its row and goes after it, so a crash can
        # leave a file without a row.
        begun += [
            upload.uuid
            for upload in self._storage.uploads()
            if upload.touched_at < before.timestamp()
            and not self._garbage.upload_exists(upload.uuid)
        ]
        self._release()
        for uuid in dict.fromkeys(begun):
            if not self._is_idle(uuid, before):
                continue
            size = self._upload_length(uuid)
            if self._dry_run or self._expire(uuid, before):
                self._collected.uploads.append(uuid)
                self._collected.freed += size

    def _upload_length(self, uuid: str) -> int:
        try:
            return self._storage.upload_length(uuid)
        except BlobUploadUnknown:
            return 0

    def _is_idle(self, uuid: str, before: datetime) -> bool:
        progress = self._storage.upload_progress(uuid)
        return progress is None or progress.touched_at < before.timestamp()

    def _expire(self, uuid: str, before: datetime) -> bool:
        try:
            with self._storage.open_upload(uuid):
                # Bytes may have come before it was held.
                return self._is_idle(uuid, before) and self._end(uuid, before)
        except BlobUploadInvalid:
            # Somebody is in the middle of sending a slow body.
            return False
        except BlobUploadUnknown:
            return self._end(uuid, before)

    def _end(self, uuid: str, before: datetime) -> bool:
        self._garbage.delete_upload(uuid, before)
        if self._garbage.upload_exists(uuid):
            return False
        self._storage.discard_upload(uuid)
        return True

    def _collect_manifests(self, repository_id: int, name: str) -> None:
        lifetime = self._config.untagged_lifetime
        if lifetime is None:
            return
        before = min(utcnow() - lifetime, self._leases_end)
        window = self._config.undo_period
        left_since = None if window is None else utcnow() - window
        collect = (
            self._garbage.unneeded_manifests
            if self._dry_run
            else self._garbage.delete_manifests
        )
        found = collect(repository_id, before, left_since)
        self._collected.manifests += [(name, digest) for digest in found]

    def _collect_links(self, repository_id: int, name: str) -> None:
        before = self._leases_end
        for digest in self._garbage.unneeded_links(repository_id, before):
            if self._dry_run or self._garbage.delete_link(
                repository_id, digest, before
            ):
                self._collected.links.append((name, digest))

    def _collect_blobs(self) -> None:
        # A dry run looks past the links that it would have deleted.
        doomed = Counter(digest for _, digest in self._collected.links)
        before = self._leases_end
        unlinked = self._garbage.unlinked_blobs(before, doomed if self._dry_run else {})
        for digest in unlinked:
            self._release()
            with self._alone_with(digest):
                if self._dry_run or self._garbage.delete_blob(digest, before):
                    self._forget(digest)

    def _collect_files(self) -> None:
        """Delete files that no row knows: what a crash left between a rename and a
        commit, in either order."""
        for batch in batched(self._storage.digests(), BATCH):
            unrecorded = self._garbage.unrecorded(batch)
            self._release()
            for digest in unrecorded:
                with self._alone_with(digest):
                    # Asked again, now that nobody is about to write the row.
                    still = self._garbage.unrecorded([digest])
                    self._release()
                    if still and self._storage.size(digest) is not None:
                        self._forget(digest)

    def _forget(self, digest: Digest) -> None:
        self._collected.freed += self._storage.size(digest) or 0
        self._collected.blobs.append(digest)
        if not self._dry_run:
            self._storage.delete(digest)

    def _alone_with(self, digest: Digest) -> t.ContextManager[None]:
        return nullcontext() if self._dry_run else self._storage.exclusive_lock(digest)


def batched(digests: Iterator[Digest], size: int) -> Iterator[list[Digest]]:
    """Go through digests, some at a time."""
    while batch := list(islice(digests, size)):
        yield batch
