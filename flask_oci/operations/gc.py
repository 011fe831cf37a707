"""Garbage collection: deleting content that is not needed, while pushes run.

A client that was told that a blob exists relies on it until it has pushed the manifest.
This promise is a lease, which lasts for the grace period. The content of a deleted
manifest is kept for the same time, because a backup may still name it. Beyond that,
content is kept if a tag needs it, directly or through other manifests.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ..catalog.collection_schedule import Lifetimes
from ..catalog.jobs import COLLECTION
from ..changes import Change
from ..changes import COLLECTED
from ..clock import utcnow
from ..core.storage_identity import StorageIdentity
from ..errors import BlobUploadInvalid
from ..errors import BlobUploadUnknown
from ..errors import CollectionRunning
from .gc_blobs import BlobCollector
from .gc_result import GarbageResult
from .items import Items
from .missing_traits import record_missing_traits
from .pruning import prunings

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..config import Config
    from ..storage import Storage

    ReportProgress = Callable[[str], None]


#: The maximum number of moves in the history of a repository, besides those that can be
#: undone.
MAX_MOVES: t.Final = 10_000


class GarbageCollector:
    """Collects the garbage of one application.

    :param dry_run: whether to find garbage without deleting it.
    :param visit_all: whether to visit the repositories that have not changed, too.
    :param progress: called with a few words about the current step.
    :param checkpoint: called between two pieces, outside of transactions. It ends the
        run by an exception.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        storage: Storage,
        *,
        dry_run: bool = False,
        visit_all: bool = False,
        progress: ReportProgress = lambda _: None,
        checkpoint: Callable[[], object] = lambda: None,
    ) -> None:
        self._config = config
        self._catalog = catalog
        self._garbage = catalog.garbage
        self._schedule = catalog.collection_schedule
        self._lifetimes = Lifetimes(
            leases=config.lease_lifetime,
            untagged=config.untagged_lifetime,
            undo=config.undo_period,
            history=config.history_lifetime,
            moves=MAX_MOVES,
        )
        self._visit_all = visit_all
        self._expired = catalog.expired_records
        self._deleted = catalog.deleted_manifests
        self._ask_receivers = catalog.ask
        self._record_if_observed = catalog.record_if_observed
        self._release = catalog.release
        self._storage = storage
        self._identity = StorageIdentity(catalog, storage)
        self._dry_run = dry_run
        self._progress = progress
        self._checkpoint = checkpoint
        self._jobs = catalog.jobs
        self._lock = catalog.collection_lock
        self._result = GarbageResult()
        self._items = Items(self._result.failures, catalog.rollback)
        self._leases_end = utcnow() - config.lease_lifetime
        self._blobs = BlobCollector(
            catalog,
            storage,
            self._result,
            self._items,
            self._leases_end,
            dry_run=dry_run,
            checkpoint=checkpoint,
        )

    def run(self) -> GarbageResult:
        """Delete all garbage, in the order in which one deletion allows the next.

        :raises CollectionRunning: if another process collects garbage now.
        :raises Denied: if a receiver of ``collection_starting`` refuses.
        :raises StorageForeign: if the storage does not belong to the database.
        """
        with self._lock.hold() as is_alone:
            if not is_alone and not self._dry_run:
                raise CollectionRunning
            return self._run()

    def _run(self) -> GarbageResult:
        self._identity.verify(create=False)
        if not self._dry_run:
            self._ask_receivers(Change(kind=COLLECTED))
        # Files are deleted first. On a full disk, the database then has space for the
        # deletions of rows.
        self._progress("files")
        # If the database has no repositories, the files probably belong to another
        # database.
        if self._schedule.has_repositories():
            self._blobs.collect_files()
            self._blobs.collect_discarded()
        self._progress("upload sessions")
        self._collect_uploads()
        every = self._begin_schedule()
        for repository in self._schedule.repositories(every=every):
            self._progress(repository.name)
            self._checkpoint()
            self._visit(repository)
        self._progress("blobs")
        self._blobs.collect()
        self._release()
        if not self._dry_run:
            self._finish()
        return self._result

    def _finish(self) -> None:
        """Count and prune what does not belong to one repository, and record this
        collection."""
        with self._items.each("the totals"):
            self._catalog.usage.begin_totals()
        with self._items.each("the sizes of owners"):
            self._schedule.count_owners()
        for what, prune in prunings(self._catalog, self._config).items():
            with self._items.each(what):
                prune()
        record_missing_traits(self._catalog, self._storage, self._items)
        with self._items.each("the event of this collection"):
            self._record_if_observed(
                Change(kind=COLLECTED, detail=self._result.counts())
            )
        with self._items.each("the record of this collection"):
            self._jobs.record(
                COLLECTION,
                summary=self._result.summary(),
                failure=self._result.failure(),
            )

    def _begin_schedule(self) -> bool:
        """Prepare the list of the repositories to visit, and return True if it is a
        list of all repositories."""
        if self._dry_run:
            return self._visit_all or not self._schedule.is_for(self._lifetimes)
        self._schedule.begin(self._lifetimes)
        return self._visit_all

    def _visit(self, repository: RepositoryInfo) -> None:
        repository_id, name = repository.key, repository.name
        if not self._dry_run:
            with self._items.each(f"the deleted manifests of {name}"):
                self._prune_deleted(repository_id)
        with self._items.each(name):
            self._collect_manifests(repository_id, name)
        with self._items.each(name):
            self._collect_links(repository_id, name)
        if self._dry_run:
            return
        with self._items.each(f"the history of {name}"):
            self._prune_moves(repository_id)
        with self._items.each(name):
            self._garbage.unlist_unused(repository_id, self._leases_end)
        with self._items.each(f"the size of {name}"):
            self._catalog.pulls.measure(repository_id)
        with self._items.each(f"the next visit of {name}"):
            self._schedule.settle(repository, self._lifetimes)

    def _prune_deleted(self, repository_id: int) -> None:
        window = self._config.undo_period or timedelta()
        self._deleted.prune(repository_id, utcnow() - window)

    def _prune_moves(self, repository_id: int) -> None:
        now, window = utcnow(), self._config.undo_period
        self._expired.prune_moves(
            repository_id,
            now - self._config.history_lifetime,
            now if window is None else now - window,
            MAX_MOVES,
        )

    def _collect_uploads(self) -> None:
        before = utcnow() - self._config.upload_lifetime
        uuids = self._garbage.uploads_begun(before)
        # The file of a session is created after its row and deleted after it, so a
        # crash can leave a file without a row.
        unreadable: list[str] = []
        uuids += [
            upload.uuid
            for upload in self._storage.uploads(unreadable)
            if upload.touched_at < before.timestamp()
            and not self._garbage.upload_exists(upload.uuid)
        ]
        self._release()
        self._note_unreadable(unreadable)
        for uuid in dict.fromkeys(uuids):
            self._checkpoint()
            with self._items.each(f"upload {uuid}"):
                self._collect_upload(uuid, before)

    def _collect_upload(self, uuid: str, before: datetime) -> None:
        if not self._is_idle(uuid, before):
            return
        size = self._upload_length(uuid)
        if self._dry_run or self._expire_upload(uuid, before):
            self._result.uploads.append(uuid)
            self._result.freed += size

    def _upload_length(self, uuid: str) -> int:
        try:
            return self._storage.upload_length(uuid)
        except BlobUploadUnknown:
            return 0

    def _is_idle(self, uuid: str, before: datetime) -> bool:
        progress = self._storage.upload_progress(uuid)
        return progress is None or progress.touched_at < before.timestamp()

    def _expire_upload(self, uuid: str, before: datetime) -> bool:
        try:
            with self._storage.open_upload(uuid) as upload:
                # Bytes may have arrived before the session was locked.
                if not self._is_idle(uuid, before):
                    return False
                # A full disk may need this space to delete the row. The open file keeps
                # its space after it has been deleted.
                upload.truncate(0)
                return self._delete_upload(uuid, before)
        except BlobUploadInvalid:
            # A client is sending a slow body.
            return False
        except BlobUploadUnknown:
            return self._delete_upload(uuid, before)

    def _delete_upload(self, uuid: str, before: datetime) -> bool:
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
        self._result.manifests += [(name, digest) for digest in sorted(found, key=str)]

    def _collect_links(self, repository_id: int, name: str) -> None:
        before = self._leases_end
        for digest in self._garbage.unneeded_links(repository_id, before):
            with self._items.each(f"{name}: {digest}"):
                if self._dry_run or self._garbage.delete_link(
                    repository_id, digest, before
                ):
                    self._result.links.append((name, digest))

    def _note_unreadable(self, folders: list[str]) -> None:
        self._result.failures += [f"{folder} is not readable." for folder in folders]
