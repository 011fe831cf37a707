"""What nothing needs any more, and what keeps the rest."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from datetime import datetime

import sqlalchemy as sa

from ..digest import Digest
from ..models import as_utc
from . import references
from .blobs import unlinked
from .database import Database
from .manifests import deleted
from .tags import Place

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

    def unneeded_manifests(self, repository_id: int, before: datetime) -> list[Digest]:
        """Return the manifests that nothing has needed since ``before``."""
        nodes = self._manifests(repository_id)
        needed = self._needed(repository_id, nodes, before)
        return [Digest.parse(d) for d in sorted(nodes.keys() - needed)]

    def delete_manifests(self, repository_id: int, before: datetime) -> list[Digest]:
        """Delete the manifests that nothing has needed since ``before``, and return
        them."""

        def work() -> list[Digest]:
            place = Place(repository_id, self._db.lock_repository(repository_id))
            nodes = self._manifests(repository_id)
            needed = self._needed(repository_id, nodes, before)
            gone = [nodes[digest] for digest in sorted(nodes.keys() - needed)]
            for node in gone:
                # Nothing needs it, so nobody is asked.
                change = deleted(place, node.digest, node.media_type)
                self._db.tell(change, ask=False)
            models = self._db.models
            for start in range(0, len(gone), BATCH):
                keys = [node.id for node in gone[start : start + BATCH]]
                references.spare(self._db, repository_id, keys)
                for table, column in (
                    (models.ManifestReference.__table__, "manifest_id"),
                    (models.Manifest.__table__, "id"),
                ):
                    self._db.session.execute(
                        sa.delete(table).where(table.c[column].in_(keys))
                    )
            return [Digest.parse(node.digest) for node in gone]

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
                sa.not_(self._referenced(repository_id, Blob.digest)),
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
            place = Place(repository_id, self._db.lock_repository(repository_id))
            if self._db.session.scalar(
                sa.select(self._referenced(repository_id, sa.literal(str(digest))))
            ):
                return False
            gone = self._execute(
                sa.delete(Link.__table__).where(
                    Link.repository_id == repository_id,
                    Link.blob_id == blob_id,
                    Link.leased_at < before,
                )
            )
            if gone:
                self._db.tell(unlinked(place, digest), ask=False)
            return gone

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

    def _manifests(self, repository_id: int) -> dict[str, Node]:
        Manifest, Tag = self._db.models.Manifest, self._db.models.Tag
        tagged = sa.exists().where(Tag.manifest_id == Manifest.id)
        rows = self._db.session.execute(
            sa.select(
                Manifest.id,
                Manifest.digest,
                Manifest.media_type,
                Manifest.subject_digest,
                Manifest.touched_at,
                tagged,
            ).where(Manifest.repository_id == repository_id)
        )
        nodes = (Node(*row) for row in rows)
        return {node.digest: node for node in nodes}

    def _needed(
        self, repository_id: int, nodes: dict[str, Node], before: datetime
    ) -> set[str]:
        """Follow what is tagged, or young, to all that it needs: an index needs its
        children, a subject its referrers, and a referrer its subject."""
        neighbours = self._children(repository_id)
        for node in nodes.values():
            if node.subject in nodes:
                neighbours[node.subject].append(node.digest)
                neighbours[node.digest].append(node.subject)
        waiting = [
            node.digest
            for node in nodes.values()
            if node.tagged or as_utc(node.touched_at) >= before
        ]
        needed: set[str] = set()
        while waiting:
            digest = waiting.pop()
            if digest not in needed:
                needed.add(digest)
                waiting += neighbours.get(digest, ())
        return needed

    def _children(self, repository_id: int) -> defaultdict[str, list[str]]:
        models = self._db.models
        Manifest, Reference = models.Manifest, models.ManifestReference
        rows = self._db.session.execute(
            sa.select(Manifest.digest, Reference.digest)
            .join(Reference, Reference.manifest_id == Manifest.id)
            .where(Manifest.repository_id == repository_id, Reference.kind == "child")
        )
        children: defaultdict[str, list[str]] = defaultdict(list)
        for parent, child in rows:
            children[parent].append(child)
        return children

    def _referenced(self, repository_id: int, digest: t.Any) -> t.Any:
        models = self._db.models
        Manifest, Reference = models.Manifest, models.ManifestReference
        return sa.exists().where(
            Reference.digest == digest,
            Reference.manifest_id == Manifest.id,
            Manifest.repository_id == repository_id,
        )

    def _forgotten(self, before: datetime) -> t.Any:
        Blob = self._db.models.Blob
        return sa.or_(Blob.unlinked_at.is_(None), Blob.unlinked_at < before)

    def _delete(self, table: sa.Table, *conditions: t.Any) -> bool:
        return self._db.write(
            lambda: self._execute(sa.delete(table).where(*conditions))
        )

    def _execute(self, statement: t.Any) -> bool:
        return bool(t.cast(t.Any, self._db.session.execute(statement)).rowcount)


class Node(t.NamedTuple):
    """A manifest, as far as others can need it."""

    id: int
    digest: str
    media_type: str
    subject: str | None
    touched_at: datetime
    tagged: bool
