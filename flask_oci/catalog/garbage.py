"""What nothing needs any more, and what keeps the rest."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..spec.digest import Digest
from . import reachability
from . import references
from .blobs import unlinked
from .database import Database
from .tags import LockedRepository

#: How many rows are looked at in one transaction.
BATCH: t.Final = 500


class Garbage:
    """Finds what can go, and deletes it if that is still so.

    Each deletion asks its question again in the transaction that answers it.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def uploads_begun(self, before: datetime) -> list[str]:
        """Return the sessions that were begun before a moment."""
        Upload = self._db.models.Upload
        return list(
            self._db.session.scalars(
                sa.select(Upload.uuid).where(Upload.started_at < before)
            )
        )

    def delete_upload(self, uuid: str, before: datetime) -> bool:
        """Delete a session that was begun before a moment."""
        Upload = self._db.models.Upload
        return self._delete(
            Upload.__table__, Upload.uuid == uuid, Upload.started_at < before
        )

    def upload_exists(self, uuid: str) -> bool:
        """Tell whether there is a session of that name."""
        Upload = self._db.models.Upload
        return bool(
            self._db.session.scalar(sa.select(sa.exists().where(Upload.uuid == uuid)))
        )

    def repositories(self) -> list[tuple[int, str]]:
        """Return the key and the name of every repository."""
        Repository = self._db.models.Repository
        rows = self._db.session.execute(
            sa.select(Repository.id, Repository.name).order_by(Repository.name)
        )
        return [(key, name) for key, name in rows]

    def unneeded_manifests(
        self, repository_id: int, before: datetime, left_since: datetime | None = None
    ) -> list[Digest]:
        """Return the manifests that nothing has needed since ``before``.

        :param left_since: removed tags can be restored since then; None is never.
        """
        unneeded = reachability.read(self._db, repository_id, left_since).unneeded(
            before
        )
        return [Digest.parse(digest) for digest in sorted(unneeded)]

    def delete_manifests(
        self, repository_id: int, before: datetime, left_since: datetime | None = None
    ) -> list[Digest]:
        """Delete the manifests that nothing has needed since ``before``, and return
        them.

        :param left_since: removed tags can be restored since then; None is never.
        """

        def work() -> list[Digest]:
            place = LockedRepository(
                repository_id, self._db.lock_repository(repository_id)
            )
            known = reachability.read(self._db, repository_id, left_since)
            gone = sorted(known.unneeded(before))
            reachability.delete(
                self._db, place, [known.nodes[digest] for digest in gone]
            )
            return [Digest.parse(digest) for digest in gone]

        return self._db.write(work)

    def unneeded_links(self, repository_id: int, before: datetime) -> list[Digest]:
        """Return the blobs that a repository links, that none of its manifests needs
        and that nothing has relied on since ``before``."""
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        rows = self._db.session.scalars(
            sa.select(Blob.digest)
            .join(Link, Link.blob_id == Blob.id)
            .where(
                Link.repository_id == repository_id,
                Link.leased_at < before,
                ~references.needing(self._db, repository_id, Blob.digest),
            )
            .order_by(Blob.digest)
        )
        return [Digest.parse(digest) for digest in rows]

    def delete_link(self, repository_id: int, digest: Digest, before: datetime) -> bool:
        """Delete a link, if it is still not needed."""
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        blob_id = sa.select(Blob.id).where(Blob.digest == str(digest)).scalar_subquery()

        def work() -> bool:
            # A manifest that is being pushed looks for its blobs under this lock.
            place = LockedRepository(
                repository_id, self._db.lock_repository(repository_id)
            )
            if references.users_of(self._db, repository_id, digest):
                return False
            gone = self._db.change(
                sa.delete(Link.__table__).where(
                    Link.repository_id == repository_id,
                    Link.blob_id == blob_id,
                    Link.leased_at < before,
                )
            )
            if gone:
                self._db.record_change(unlinked(place, digest), ask=False)
            return bool(gone)

        return self._db.write(work)

    def unlinked_blobs(
        self, before: datetime, doomed: t.Mapping[Digest, int]
    ) -> list[Digest]:
        """Return the blobs that no repository links, nor has deleted since
        ``before``.

        :param doomed: how many links to leave out of account, by blob.
        """
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        links = sa.func.count(Link.blob_id)
        linked = (
            sa.select(Blob.digest, links)
            .join(Link, Link.blob_id == Blob.id, isouter=True)
            .where(self._forgotten(before))
            .group_by(Blob.digest)
            .order_by(Blob.digest)
        )
        if not doomed:
            linked = linked.having(links == 0)
        found = (
            (Digest.parse(digest), count)
            for digest, count in self._db.session.execute(linked)
        )
        return [digest for digest, count in found if count <= doomed.get(digest, 0)]

    def delete_blob(self, digest: Digest, before: datetime) -> bool:
        """Delete a blob's row, if still no repository links it, nor has deleted it
        since ``before``."""
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        return self._delete(
            Blob.__table__,
            Blob.digest == str(digest),
            self._forgotten(before),
            ~sa.exists().where(Link.blob_id == Blob.id),
        )

    def unrecorded(self, digests: t.Sequence[Digest]) -> list[Digest]:
        """Return those digests that there is no blob of."""
        Blob = self._db.models.Blob
        known = set(
            self._db.session.scalars(
                sa.select(Blob.digest).where(Blob.digest.in_(map(str, digests)))
            )
        )
        return [digest for digest in digests if str(digest) not in known]

    def _forgotten(self, before: datetime) -> t.Any:
        Blob = self._db.models.Blob
        return sa.or_(Blob.unlinked_at.is_(None), Blob.unlinked_at < before)

    def _delete(self, table: sa.Table, *conditions: t.Any) -> bool:
        statement = sa.delete(table).where(*conditions)
        return bool(self._db.write(lambda: self._db.change(statement)))
