"""Cached content: recording manifests and blobs that were fetched from an upstream.

A cached manifest may refer to content that has not been fetched yet.
"""

from __future__ import annotations

import sqlalchemy as sa

from ..changes import BLOB_PUSHED
from ..changes import Change
from ..rules.protection import Guard
from ..spec.digest import Digest
from ..spec.manifest import Manifest
from ..storage.place import Place
from . import manifest_rows
from . import tag_changes
from .blobs import Blobs
from .database import Database
from .locked_repository import LockedRepository
from .manifest_changes import pushed
from .manifest_traits import Traits
from .manifest_traits import UNKNOWN
from .models import PRESENT
from .quotas import Quotas
from .repositories import Repositories
from .repository_info import RepositoryInfo
from .upstream_records import UpstreamRecords


class CachedContent:
    """Records content in the repositories of upstreams, which no user pushes to."""

    def __init__(
        self,
        database: Database,
        repositories: Repositories,
        blobs: Blobs,
        quotas: Quotas,
        records: UpstreamRecords,
    ) -> None:
        self._db = database
        self._repositories = repositories
        self._blobs = blobs
        self._quotas = quotas
        self._records = records

    def put(
        self,
        repository: RepositoryInfo,
        manifest: Manifest,
        content: bytes,
        digest: Digest,
        *,
        tag: str | None = None,
        reference: str | None = None,
        traits: Traits = UNKNOWN,
    ) -> RepositoryInfo:
        """Record a manifest, its tag, and the check of its upstream, in one
        transaction.

        :param repository: the repository, which is created if it does not exist.
        :param tag: the tag to move to it.
        :param reference: the reference that was checked; None records no check.
        :param traits: the kind of its content. Its config is not known yet.
        :return: the repository, with its key.
        """
        names = [] if tag is None else [tag]

        def work() -> RepositoryInfo:
            found = self._repositories.ensure_cached(repository)
            self._repositories.push_to(found.key)
            # The upstream decides what its tags are.
            locked = LockedRepository(found.key, found.name, Guard(repairs=True))
            change = pushed(locked, manifest, content, digest, names, None)
            self._db.record_change(change)
            key = manifest_rows.record(
                self._db,
                found.key,
                None,
                manifest,
                content,
                digest,
                traits.without({traits.config}),
            )
            for name in names:
                target = str(digest)
                tag_changes.move(
                    self._db, locked, name, key, target, None, by_push=True
                )
            if reference is not None:
                self._records.set_check(found.key, reference, PRESENT)
            return found

        return self._db.write(work)

    def has_room(self, repository: RepositoryInfo, size: int, most: int | None) -> bool:
        """Return True if a blob fits into the quotas.

        :param size: the size of the blob in bytes.
        :param most: the quota of the upstream in bytes; None sets no limit.
        """
        held = self._quotas.of(repository)
        for each in held:
            standing = each.standing
            if standing.bytes + size > (standing.quota.bytes or standing.bytes + size):
                return False
        if most is None or repository.upstream is None:
            return True
        return self._records.states.totals(repository.upstream).bytes + size <= most

    def link(
        self, repository: RepositoryInfo, place: Place, kept: Place | None = None
    ) -> bool:
        """Record a blob whose bytes are stored.

        :param place: where the bytes are stored.
        :param kept: where they are stored already, as for :meth:`Blobs.link`.
        :return: False if the repository has been deleted.
        """

        def work() -> bool:
            found = self._repositories.lock(repository.key)
            if found is None or found.upstream != repository.upstream:
                return False
            self._db.record_change(
                Change(
                    kind=BLOB_PUSHED,
                    repository=found.name,
                    repository_id=found.key,
                    digest=str(place.digest),
                    size=place.size,
                )
            )
            with self._quotas.within(found):
                self._blobs.link(found, place, kept)
            return True

        return self._db.write(work)

    def has_sibling(self, repository: RepositoryInfo, digest: Digest) -> bool:
        """Return True if another repository of the same upstream has a blob."""
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        statement = (
            sa.select(Repository.id)
            .join(Link, Link.repository_id == Repository.id)
            .join(Blob, Blob.id == Link.blob_id)
            .where(
                Blob.digest == str(digest), Repository.upstream == repository.upstream
            )
            .limit(1)
        )
        return self._db.execute(statement).first() is not None

    def delete_tag(self, repository: RepositoryInfo, tag: str) -> None:
        """Delete a tag that the upstream has deleted."""

        def work() -> None:
            name = self._db.lock_repository(repository.key)
            locked = LockedRepository(repository.key, name, Guard(repairs=True))
            tag_changes.drop(self._db, locked, tag, None)

        self._db.write(work)
