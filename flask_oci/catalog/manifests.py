"""Manifests: finding, recording and deleting them."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from functools import cache
from types import MappingProxyType

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from ..errors import ManifestBlobUnknown
from ..errors import NameUnknown
from ..rules.blocks import Ban
from ..rules.protection import Guard
from ..spec.digest import Digest
from ..spec.manifest import Manifest
from . import deleted_manifests
from . import manifest_rows
from . import references
from . import referrer_lists
from . import tag_changes
from . import tags
from .blocks import bans_of
from .blocks import Blocks
from .blocks import with_bans
from .database import Database
from .database import newest
from .locked_repository import DEFAULT_GUARD
from .locked_repository import LockedRepository
from .manifest_changes import deleted
from .manifest_changes import pushed
from .manifest_traits import Traits
from .manifest_traits import UNKNOWN
from .quotas import Quotas
from .references import Removal
from .repositories import Repositories
from .repository_info import Pusher
from .repository_info import RepositoryInfo
from .repository_info import RepositoryRef
from .repository_statements import has_policies
from .retries import FAILURES


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A recorded manifest."""

    digest: str
    media_type: str
    size: int
    content: bytes | None
    """The bytes that were pushed, or None if they were not read."""

    repository_id: int
    touched_at: datetime
    """When it was last pushed or untagged, or its lease was last renewed."""

    bans: tuple[Ban, ...]
    """The blocks of its digest, in its repository or in any path."""

    has_policies: bool = False
    """Whether an image policy is set for its repository, or for a path of it."""


class Manifests:
    """Finds, records and deletes the manifests of a repository."""

    def __init__(
        self,
        database: Database,
        repositories: Repositories,
        quotas: Quotas,
        blocks: Blocks,
    ) -> None:
        self._db = database
        self._blocks = blocks
        self._quotas = quotas
        self._repositories = repositories
        self._finding = cache(self._make_finding)

    def find(
        self, repository_id: int, reference: Digest | str, *, content: bool = True
    ) -> StoredManifest | None:
        """Return the manifest of a tag or a digest, or None.

        :param content: whether to read its bytes.
        """
        statement = self._finding(isinstance(reference, Digest), content)
        rows = self._db.reads.rows(
            statement, {"repository_id": repository_id, "reference": str(reference)}
        )
        if not rows:
            return None
        digest, media_type, size, stored, touched_at, has_policies = rows[0][:6]
        return StoredManifest(
            digest,
            media_type,
            size,
            stored,
            repository_id,
            as_utc(touched_at),
            bans_of(row[6:] for row in rows),
            bool(has_policies),
        )

    def put(
        self,
        wanted: RepositoryRef,
        pusher: Pusher,
        manifest: Manifest,
        content: bytes,
        digest: Digest,
        tag_names: Iterable[str],
        *,
        lost: t.Collection[str],
        allow_sparse: bool,
        guard: Guard = DEFAULT_GUARD,
        traits: Traits = UNKNOWN,
        tagged_at: Mapping[str, datetime] = MappingProxyType({}),
        check_tags: Callable[[RepositoryInfo], object] = lambda _: None,
    ) -> list[str]:
        """Record a manifest, its references and its tags, in one transaction.

        :param pusher: the user who pushes.
        :param lost: the digests of blobs whose bytes the local disk does not have.
        :param allow_sparse: whether referenced content may be missing.
        :param guard: the caller's permissions on protected tags.
        :param traits: the kind and the platform of its content.
        :param tagged_at: the times of tags whose deletion is undone, by name.
        :param check_tags: raises an error if an image policy does not allow the tags.
        :return: the digests of missing content; empty without ``allow_sparse``.
        :raises ManifestBlobUnknown: if referenced content is missing.
        :raises SizeInvalid: if the size of content is not the one in its descriptor.
        :raises Denied: if the caller may not change one of the tags, or the manifest or
            its content is blocked.
        :raises QuotaExceeded: if the push would exceed a quota.
        """
        tag_names, user_id = list(tag_names), pusher.key

        def work() -> list[str]:
            repository = self._repositories.ensure(wanted, pusher)
            repository_id = repository.key
            if not self._repositories.push_to(repository_id):
                raise NameUnknown(detail=repository.name)
            missing = self._missing(repository, manifest, digest, lost, allow_sparse)
            if tag_names:
                check_tags(repository)
            locked = LockedRepository(repository_id, repository.name, guard)
            self._db.record_change(
                pushed(locked, manifest, content, digest, tag_names, user_id)
            )
            with self._quotas.within(repository):
                key = manifest_rows.record(
                    self._db,
                    repository_id,
                    user_id,
                    manifest,
                    content,
                    digest,
                    traits.without(missing),
                )
                for tag in tag_names:
                    tag_changes.move(
                        self._db,
                        locked,
                        tag,
                        key,
                        str(digest),
                        user_id,
                        by_push=True,
                        tagged_at=tagged_at.get(tag),
                    )
            return missing

        return self._db.write(
            work,
            by=user_id,
            users=lambda: self._repositories.owners_of_new(wanted),
        )

    def _missing(
        self,
        repository: RepositoryInfo,
        manifest: Manifest,
        digest: Digest,
        lost: t.Collection[str],
        allow_sparse: bool,
    ) -> list[str]:
        """Return the digests of missing content of a manifest, with the errors of
        :meth:`put`."""
        missing = references.missing(
            self._db, repository.key, manifest.descriptors, lost
        )
        if missing and not allow_sparse:
            raise ManifestBlobUnknown(missing)
        digests = [digest, *(each.digest for each in manifest.descriptors)]
        self._blocks.check_push(repository, [str(each) for each in digests])
        return missing

    def lease(self, stored: StoredManifest, fresh_for: timedelta) -> bool:
        """Protect a manifest from garbage collection for the grace period.

        :param fresh_for: the age up to which a lease is not renewed.
        :return: False if the manifest no longer exists.
        :raises Exception: if the database refuses the write, and neither a tag nor
            another manifest protects the manifest.
        """
        now = utcnow()
        if now - stored.touched_at < fresh_for:
            return True
        Manifest = self._db.models.Manifest

        def work() -> bool:
            # A garbage collection may have selected it and not deleted it yet.
            self._db.lock_repository(stored.repository_id, changes=False)
            touched = self._db.change(
                sa.update(Manifest.__table__)
                .where(
                    Manifest.repository_id == stored.repository_id,
                    Manifest.digest == stored.digest,
                )
                .values(touched_at=now)
            )
            return bool(touched)

        try:
            return self._db.write(work)
        except FAILURES as error:
            self._db.note_unrecorded(error)
            if not self._is_needed(stored):
                raise
            return True

    def _is_needed(self, stored: StoredManifest) -> bool:
        """Return True if a tag or another manifest needs a manifest."""
        Manifest, Tag = self._db.models.Manifest, self._db.models.Tag
        tagged = sa.exists().where(
            Tag.repository_id == stored.repository_id,
            Tag.manifest_id == Manifest.id,
            Manifest.digest == stored.digest,
        )
        digest = Digest.parse(stored.digest)
        return bool(self._db.execute(sa.select(tagged)).scalar()) or bool(
            references.users_of(self._db, stored.repository_id, digest)
        )

    def delete(
        self,
        repository_id: int,
        digest: Digest,
        *,
        unless_needed: bool,
        by: t.Any = None,
        guard: Guard = DEFAULT_GUARD,
        restorable: bool = False,
    ) -> Removal:
        """Delete a manifest, every tag that points at it, and the stale lists of
        referrers that contain it.

        If there are many tags, further transactions delete most of them before.

        :param unless_needed: whether to keep the manifest if another index needs it.
        :param by: the key of the user who makes the change.
        :param guard: the caller's permissions on protected tags.
        :param restorable: whether to keep a copy, with which the deletion can be
            undone.
        :raises Denied: if the caller may not delete one of the tags.
        """
        Manifest, Tag = self._db.models.Manifest, self._db.models.Tag
        before: list[str] = []

        def work() -> Removal | list[str]:
            """Return the tags if they are too many for one transaction."""
            locked = self._db.lock_repository(repository_id)
            repository = LockedRepository(repository_id, locked, guard)
            stale: dict[int, tuple[str, str]] = {}
            if unless_needed and self._parents(repository_id, digest):
                stale = referrer_lists.stale(self._db, repository_id, digest)
                if parents := self._parents(repository_id, digest, stale):
                    return Removal(False, parents)
            row = self._db.session.execute(
                sa.select(Manifest.id, Manifest.media_type).where(
                    Manifest.repository_id == repository_id,
                    Manifest.digest == str(digest),
                )
            ).first()
            if row is None:
                return Removal(False, [])
            named = newest(sa.select(Tag.name).where(Tag.manifest_id == row.id))
            names = list(self._db.session.scalars(named))
            if len(names) > tags.BATCH_SIZE:
                return names
            for each, media_type in (*stale.values(), (str(digest), row.media_type)):
                self._db.record_change(deleted(repository, each, media_type, by))
            if restorable:
                deleted_manifests.record(self._db, row.id, before + names, by)
            for name in names:
                tag_changes.drop(self._db, repository, name, by)
            references.delete(self._db, repository_id, [*stale, row.id])
            return Removal(True, [])

        all_tags = tags.Tags(self._db, self._repositories, self._quotas)
        while not isinstance(result := self._db.write(work, by=by), Removal):
            before += all_tags.delete_all(repository_id, result, by, guard)
        return result

    def _parents(
        self, repository_id: int, digest: Digest, except_for: Iterable[int] = ()
    ) -> list[str]:
        return references.users_of(
            self._db, repository_id, digest, kind="child", except_for=except_for
        )

    def _make_finding(self, by_digest: bool, content: bool) -> sa.Select[t.Any]:
        manifest = self._db.models.Manifest.__table__.c
        tag = self._db.models.Tag.__table__.c
        statement = with_bans(
            sa.select(
                manifest.digest,
                manifest.media_type,
                manifest.size,
                manifest.content if content else sa.null(),
                manifest.touched_at,
                has_policies(self._db.models, manifest.repository_id),
            ),
            self._db.models,
            manifest.digest,
            manifest.repository_id,
        )
        repository_id: sa.BindParameter[int] = sa.bindparam("repository_id")
        wanted: sa.BindParameter[str] = sa.bindparam("reference")
        if by_digest:
            return statement.where(
                manifest.repository_id == repository_id, manifest.digest == wanted
            )
        return statement.where(
            manifest.id == tag.manifest_id,
            # A tag does not give access to the manifest of another repository.
            manifest.repository_id == repository_id,
            tag.repository_id == repository_id,
            tag.name == wanted,
        )
