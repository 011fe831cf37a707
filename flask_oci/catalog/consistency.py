"""Consistency queries, for comparing the tables with the stored files."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from ..clock import as_utc
from ..spec.digest import Digest
from ..storage.place import Place
from . import references
from .database import Database
from .places import columns_of
from .places import lock_place
from .places import outside
from .places import place_of
from .repository_statements import lock_repositories

#: How many rows are read at a time.
BATCH_SIZE: t.Final = 500

#: How many manifests are read at a time. It is small because each is read whole.
MANIFEST_BATCH: t.Final = 20

#: How many keys of manifests one statement looks through.
KEY_RANGE: t.Final = 1000


class Dangling(t.NamedTuple):
    """A reference of a manifest to content that its repository does not have."""

    repository: str
    manifest: str
    kind: str
    digest: str


class Having(t.NamedTuple):
    """A repository that has the content of a digest."""

    id: int
    name: str
    leased_at: datetime | None
    """When the registry last told a client that the blob exists, or None for a
    manifest."""


class Consistency:
    """Reads the tables in short transactions, a batch at a time."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def local_blobs(self) -> Iterator[Place]:
        """Yield the blobs on the local disk, ordered by digest."""
        Blob = self._db.models.Blob
        statement = (
            sa.select(*columns_of(Blob))
            .where(Blob.store.is_(None))
            .order_by(Blob.digest)
        )
        for row in self._batches(statement, Blob.digest, BATCH_SIZE):
            yield place_of(row)

    def blobs_in(self, store: str, after: str | None = None) -> Iterator[Place]:
        """Yield the blobs that have an object in a store, ordered by location.

        :param after: the location after which to begin.
        """
        Blob = self._db.models.Blob
        statement = (
            sa.select(Blob.location, *columns_of(Blob))
            .where(Blob.store == store, Blob.location.is_not(None))
            .order_by(Blob.location)
        )
        if after is not None:
            statement = statement.where(Blob.location > after)
        for row in self._batches(statement, Blob.location, BATCH_SIZE):
            yield place_of(row[1:])

    def blobs_outside(self, store: str | None) -> Iterator[Place]:
        """Yield the blobs that are in other stores, ordered by digest, except those
        that are lost.

        :param store: the name of the store; None is the local disk.
        """
        Blob = self._db.models.Blob
        statement = (
            sa.select(*columns_of(Blob))
            .where(outside(Blob, store))
            .order_by(Blob.digest)
        )
        for row in self._batches(statement, Blob.digest, BATCH_SIZE):
            yield place_of(row)

    def lost_blobs(self) -> Iterator[Place]:
        """Yield the blobs whose objects are known to be lost, ordered by digest."""
        Blob = self._db.models.Blob
        statement = (
            sa.select(*columns_of(Blob))
            .where(Blob.store.is_not(None), Blob.location.is_(None))
            .order_by(Blob.digest)
        )
        for row in self._batches(statement, Blob.digest, BATCH_SIZE):
            yield place_of(row)

    def damaged_manifests(self) -> Iterator[tuple[str, str]]:
        """Yield the repository and the recorded digest of each manifest whose bytes
        have another digest."""
        Manifest, Repository = self._db.models.Manifest, self._db.models.Repository
        statement = (
            sa.select(Manifest.id, Repository.name, Manifest.digest, Manifest.content)
            .join(Repository, Repository.id == Manifest.repository_id)
            .order_by(Manifest.id)
        )
        for _, name, digest, content in self._batches(
            statement, Manifest.id, MANIFEST_BATCH
        ):
            if str(Digest.of(content, Digest.parse(digest).algorithm)) != digest:
                yield name, digest

    def dangling(self) -> Iterator[Dangling]:
        """Yield the references to content that is not in the manifest's repository.

        Each statement reads the references of a range of manifests."""
        models = self._db.models
        Manifest, Reference = models.Manifest, models.ManifestReference
        Blob, Link, Repository = models.Blob, models.RepositoryBlob, models.Repository
        Child = aliased(Manifest)
        # With a join, PostgreSQL reads all links of each blob.
        blob_id = sa.select(Blob.id).where(Blob.digest == Reference.digest)
        linked = sa.exists().where(
            Link.repository_id == Manifest.repository_id,
            Link.blob_id == blob_id.correlate(Reference).scalar_subquery(),
        )
        held = sa.exists().where(
            Child.repository_id == Manifest.repository_id,
            Child.digest == Reference.digest,
        )
        statement = (
            sa.select(
                Repository.name, Manifest.digest, Reference.kind, Reference.digest
            )
            .join(Manifest, Manifest.id == Reference.manifest_id)
            .join(Repository, Repository.id == Manifest.repository_id)
            .where(
                ~linked,
                # Cached content is fetched when a client asks for it.
                Repository.upstream.is_(None),
                sa.or_(Reference.kind != "child", ~held),
                # Foreign layers are stored elsewhere and are never pushed.
                Reference.media_type.not_like("%.foreign.%"),
                Reference.media_type.not_like("%.nondistributable.%"),
            )
            .order_by(Manifest.id, Reference.position)
        )
        last = self._db.session.scalar(sa.select(sa.func.max(Manifest.id))) or 0
        for start in range(0, last + 1, KEY_RANGE):
            keys = Manifest.id.between(start, start + KEY_RANGE - 1)
            rows = self._db.session.execute(statement.where(keys)).all()
            self._db.release()
            yield from (Dangling(*row) for row in rows)

    def misplaced_tags(self) -> list[tuple[int, str, str]]:
        """Return the tags that point at no manifest of their repository.

        :return: the key and the name of the repository, and the name of the tag.
        """
        models = self._db.models
        Manifest, Repository, Tag = models.Manifest, models.Repository, models.Tag
        rows = self._db.session.execute(
            sa.select(Repository.id, Repository.name, Tag.name)
            .join(Tag, Tag.repository_id == Repository.id)
            .join(Manifest, Manifest.id == Tag.manifest_id, isouter=True)
            .where(
                sa.or_(
                    Manifest.id.is_(None), Manifest.repository_id != Tag.repository_id
                )
            )
            .order_by(Repository.name, Tag.name)
        )
        return [(key, name, tag) for key, name, tag in rows]

    def forget_blob(self, lost: Place) -> list[str]:
        """Delete the links of a blob that no manifest needs. If no link is left,
        delete the blob's row.

        A needed link is kept, so that one push of the blob repairs every repository
        that lost it.

        :param lost: the place of the blob, whose size is ignored. If the blob is
            elsewhere, for example after a push, nothing is deleted.
        :return: the names of the repositories that need the blob.
        """
        digest = lost.digest
        models = self._db.models
        Blob, Link, Repository = models.Blob, models.RepositoryBlob, models.Repository
        blob_id = sa.select(Blob.id).where(Blob.digest == str(digest)).scalar_subquery()
        needed = references.needing(self._db, Link.repository_id, str(digest))

        def work() -> list[str]:
            self._mark_holders(digest)
            found = lock_place(self._db, digest)
            if found is None:
                return []
            if (found.store, found.location) != (lost.store, lost.location):
                return []
            self._db.execute(
                sa.delete(Link.__table__).where(Link.blob_id == blob_id, ~needed)
            )
            deleted = self._db.change(
                sa.delete(Blob.__table__).where(
                    Blob.digest == str(digest),
                    ~sa.exists().where(Link.blob_id == Blob.id),
                )
            )
            if deleted:
                self._db.add_to_totals(blobs=-1, bytes=-found.size)
            return list(
                self._db.session.scalars(
                    sa.select(Repository.name)
                    .join(Link, Link.repository_id == Repository.id)
                    .where(Link.blob_id == blob_id)
                    .order_by(Repository.name)
                )
            )

        return self._db.write(work)

    def _mark_holders(self, digest: Digest) -> None:
        """Lock the repositories that link a blob, and have the collection visit
        them."""
        models = self._db.models
        Blob, Link = models.Blob, models.RepositoryBlob
        table = models.Repository.__table__
        blob_id = sa.select(Blob.id).where(Blob.digest == str(digest)).scalar_subquery()
        linking = table.c.id.in_(
            sa.select(Link.repository_id).where(Link.blob_id == blob_id)
        )
        lock_repositories(self._db, linking)
        self._db.execute(sa.update(table).where(linking).values(collect_at=None))

    def touched_at(self, repository_id: int, digest: str) -> datetime | None:
        """Return when a manifest was last pushed, untagged or checked, or None if it
        does not exist."""
        Manifest = self._db.models.Manifest
        moment = self._db.session.scalar(
            sa.select(Manifest.touched_at).where(
                Manifest.repository_id == repository_id, Manifest.digest == digest
            )
        )
        return moment and as_utc(moment)

    def holders(self, digest: Digest) -> list[Having]:
        """Return the repositories that link the blob, or have the manifest, of a
        digest."""
        models = self._db.models
        Blob, Link, Repository = models.Blob, models.RepositoryBlob, models.Repository
        Manifest = models.Manifest
        linking = self._db.session.execute(
            sa.select(Repository.id, Repository.name, Link.leased_at)
            .join(Link, Link.repository_id == Repository.id)
            .join(Blob, Blob.id == Link.blob_id)
            .where(Blob.digest == str(digest))
            .order_by(Repository.name)
        )
        having = self._db.session.execute(
            sa.select(Repository.id, Repository.name)
            .join(Manifest, Manifest.repository_id == Repository.id)
            .where(Manifest.digest == str(digest))
            .order_by(Repository.name)
        )
        return [
            *(Having(key, name, as_utc(leased)) for key, name, leased in linking),
            *(Having(key, name, None) for key, name in having),
        ]

    def tags_of(self, repository_id: int, digest: str) -> list[str]:
        """Return the tags of a manifest."""
        Manifest, Tag = self._db.models.Manifest, self._db.models.Tag
        return list(
            self._db.session.scalars(
                sa.select(Tag.name)
                .join(Manifest, Manifest.id == Tag.manifest_id)
                .where(
                    Tag.repository_id == repository_id,
                    Manifest.repository_id == repository_id,
                    Manifest.digest == digest,
                )
                .order_by(Tag.name)
            )
        )

    def keepers(self, repository_id: int, digest: str) -> list[tuple[str, str]]:
        """Return the manifests of a repository that keep the content of a digest.

        :return: the relation of the content to the manifest, such as ``layer of``, and
            the digest of the manifest.
        """
        models = self._db.models
        Manifest, Reference = models.Manifest, models.ManifestReference
        referencing = self._db.session.execute(
            sa.select(Reference.kind, Manifest.digest)
            .join(Manifest, Manifest.id == Reference.manifest_id)
            .where(Manifest.repository_id == repository_id, Reference.digest == digest)
        )
        referring = self._db.session.scalars(
            sa.select(Manifest.digest).where(
                Manifest.repository_id == repository_id,
                Manifest.subject_digest == digest,
            )
        )
        subject = self._db.session.scalars(
            sa.select(Manifest.subject_digest).where(
                Manifest.repository_id == repository_id,
                Manifest.digest == digest,
                Manifest.subject_digest.is_not(None),
            )
        )
        return [
            *((f"{kind} of", parent) for kind, parent in referencing),
            *(("subject of", referrer) for referrer in referring),
            *(("referrer of", str(target)) for target in subject),
        ]

    def _batches(
        self, statement: t.Any, key: t.Any, size: int
    ) -> Iterator[tuple[t.Any, ...]]:
        """Yield the rows of a statement that is ordered by its first column, ``key``.

        :param size: the number of rows in a batch.
        """
        last = None
        while True:
            batch = statement if last is None else statement.where(key > last)
            rows = self._db.session.execute(batch.limit(size)).all()
            self._db.release()
            yield from rows
            if len(rows) < size:
                return
            last = rows[-1][0]
