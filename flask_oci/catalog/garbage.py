"""Garbage collection queries: unneeded content, and its deletion."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..spec.digest import Digest
from . import deleted_manifests
from . import reachability
from . import references
from .blobs import unlinked
from .database import Database
from .locked_repository import LockedRepository

#: How many rows are read in one transaction.
BATCH_SIZE: t.Final = 500

#: The maximum number of manifests that one transaction deletes.
DELETION_BATCH: t.Final = 250


class Garbage:
    """Finds unneeded content and deletes it.

    Each deletion checks again, in its own transaction, that the content is unneeded.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def uploads_begun(self, before: datetime) -> list[str]:
        """Return the upload sessions that were started before a moment."""
        Upload = self._db.models.Upload
        return list(
            self._db.session.scalars(
                sa.select(Upload.uuid).where(Upload.started_at < before)
            )
        )

    def delete_upload(self, uuid: str, before: datetime) -> bool:
        """Delete an upload session if it was started before a moment.

        :return: True if it was deleted.
        """
        Upload = self._db.models.Upload
        deleting = sa.delete(Upload.__table__).where(
            Upload.uuid == uuid, Upload.started_at < before
        )
        return bool(self._db.write(lambda: self._db.change(deleting)))

    def upload_exists(self, uuid: str) -> bool:
        """Return True if the upload session exists."""
        Upload = self._db.models.Upload
        return bool(
            self._db.session.scalar(sa.select(sa.exists().where(Upload.uuid == uuid)))
        )

    def unneeded_manifests(
        self, repository_id: int, before: datetime, left_since: datetime | None = None
    ) -> list[Digest]:
        """Return the manifests that have been unneeded since ``before``.

        :param left_since: removed tags can be restored since then; None is never.
        """
        unneeded = reachability.read(self._db, repository_id, left_since).unneeded(
            before
        )
        return [Digest.parse(digest) for digest in sorted(unneeded)]

    def delete_manifests(
        self, repository_id: int, before: datetime, left_since: datetime | None = None
    ) -> list[Digest]:
        """Delete the manifests that have been unneeded since ``before``, and return
        their digests.

        Each transaction deletes a batch of them, so that other writes do not wait long.

        :param left_since: removed tags can be restored since then; None is never.
        """
        deleted: list[Digest] = []
        while True:
            batch = self._delete_manifests(repository_id, before, left_since)
            deleted += batch
            if len(batch) < DELETION_BATCH:
                return deleted

    def _delete_manifests(
        self, repository_id: int, before: datetime, left_since: datetime | None
    ) -> list[Digest]:
        def work() -> list[Digest]:
            repository = LockedRepository(
                repository_id, self._db.lock_repository(repository_id, changes=False)
            )
            known = reachability.read(self._db, repository_id, left_since)
            ordered = known.parents_first(known.unneeded(before))
            unneeded = ordered[:DELETION_BATCH]
            reachability.delete(
                self._db, repository, [known.nodes[digest] for digest in unneeded]
            )
            return [Digest.parse(digest) for digest in unneeded]

        return self._db.write(work)

    def unneeded_links(self, repository_id: int, before: datetime) -> list[Digest]:
        """Return the blobs that a repository links, but none of its manifests needs,
        and whose lease is older than ``before``."""
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        rows = self._db.session.scalars(
            sa.select(Blob.digest)
            .join(Link, Link.blob_id == Blob.id)
            .where(
                Link.repository_id == repository_id,
                Link.leased_at < before,
                ~references.needing(self._db, repository_id, Blob.digest),
                ~deleted_manifests.needing(self._db, repository_id, Blob.digest),
            )
            .order_by(Blob.digest)
        )
        return [Digest.parse(digest) for digest in rows]

    def delete_link(self, repository_id: int, digest: Digest, before: datetime) -> bool:
        """Delete a link if it is still unneeded.

        :return: True if it was deleted.
        """
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        blob_id = sa.select(Blob.id).where(Blob.digest == str(digest)).scalar_subquery()

        def work() -> bool:
            # A push of a manifest checks its blobs under this lock.
            repository = LockedRepository(
                repository_id, self._db.lock_repository(repository_id, changes=False)
            )
            if references.users_of(self._db, repository_id, digest):
                return False
            deleted = self._db.change(
                sa.delete(Link.__table__).where(
                    Link.repository_id == repository_id,
                    Link.blob_id == blob_id,
                    Link.leased_at < before,
                    ~deleted_manifests.needing(self._db, repository_id, str(digest)),
                )
            )
            if deleted:
                self._db.record_change(unlinked(repository, digest), ask=False)
            return bool(deleted)

        return self._db.write(work)

    def unlist_unused(self, repository_id: int, before: datetime) -> None:
        """Take a repository out of the lists if it has no content, no history and no
        settings, as after a first push that was cancelled.

        Its owner stays, and the next push lists it again.

        :param before: leave out repositories that were pushed to since then.
        """
        models = self._db.models
        Repository, table = models.Repository, models.Repository.__table__
        used = (
            *(models.Manifest, models.RepositoryBlob, models.Upload),
            *(models.TagMove, models.RepositoryAlias, models.Rule, models.Block),
            models.DeletedManifest,
        )
        unused = sa.and_(
            table.c.id == repository_id,
            table.c.pushed_at < before,
            sa.func.coalesce(table.c.description, "") == "",
            *(~sa.exists().where(m.repository_id == Repository.id) for m in used),
        )

        def work() -> None:
            self._db.lock_repository(repository_id, changes=False)
            self._db.execute(sa.update(table).where(unused).values(pushed_at=None))

        if self._db.execute(sa.select(table.c.id).where(unused)).first() is not None:
            self._db.write(work)
