"""Upstream records: checked tags, and manifests that name content."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from functools import cached_property

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .database import Database
from .fetch_leases import FetchLeases
from .models import DELETED
from .upstream_states import UpstreamStates

#: How long the check of a deleted tag, or of referrers, is kept.
CHECK_LIFETIME: t.Final = timedelta(days=30)


class UpstreamCheck(t.NamedTuple):
    """The last answer of an upstream about a reference."""

    checked_at: datetime
    state: str
    """``present`` or ``deleted``."""

    @property
    def is_deleted(self) -> bool:
        """Whether the upstream has deleted the tag."""
        return self.state == DELETED

    def is_younger(self, age: timedelta) -> bool:
        """Return True if it was made within ``age``."""
        return utcnow() - self.checked_at < age


class NamedContent(t.NamedTuple):
    """Content that a cached manifest refers to."""

    kind: str
    media_type: str
    size: int
    """In bytes, as the manifest gives it."""


class UpstreamRecords:
    """Reads and records the checks of references with an upstream."""

    def __init__(self, database: Database) -> None:
        self._db = database
        #: The leases of fetches.
        self.leases = FetchLeases(database)
        #: The answers of upstreams, and their cached content.
        self.states = UpstreamStates(database)

    def tag(self, repository_id: int, tag: str) -> UpstreamCheck | None:
        """Return the last check of a tag that the repository has, or None."""
        return self._check(self._tag_checks, repository_id, tag)

    def check(self, repository_id: int, reference: str) -> UpstreamCheck | None:
        """Return the last check of a reference, or None."""
        return self._check(self._checks, repository_id, reference)

    def _check(
        self, statement: sa.Select[t.Any], repository_id: int, reference: str
    ) -> UpstreamCheck | None:
        values = {"repository_id": repository_id, "reference": reference}
        rows = self._db.reads.rows(statement, values)
        return UpstreamCheck(as_utc(rows[0][0]), rows[0][1]) if rows else None

    def checks_of(
        self, repository_id: int, references: Sequence[str]
    ) -> dict[str, UpstreamCheck]:
        """Return the last checks of some references, by reference."""
        check = self._db.models.UpstreamCheck.__table__.c
        rows = self._db.execute(
            sa.select(check.reference, check.checked_at, check.state).where(
                check.repository_id == repository_id,
                check.reference.in_(list(references)),
            )
        )
        return {str(key): UpstreamCheck(as_utc(at), state) for key, at, state in rows}

    def set_check(self, repository_id: int, reference: str, state: str) -> None:
        """Record a check, within a transaction that has locked the repository."""
        self._db.upsert(
            self._db.models.UpstreamCheck,
            {"repository_id": repository_id, "reference": reference},
            checked_at=utcnow(),
            state=state,
        )

    def touch(self, repository_id: int, reference: str, state: str) -> None:
        """Record a check in a transaction of its own."""

        def work() -> None:
            if self._db.lock_repository(repository_id, changes=False) is not None:
                self.set_check(repository_id, reference, state)

        self._db.record(work)

    def named(self, repository_id: int, digest: str) -> NamedContent | None:
        """Return the content of a digest as a manifest of the repository describes it,
        or None if no manifest of the repository refers to it."""
        rows = self._db.reads.rows(
            self._naming, {"repository_id": repository_id, "digest": digest}
        )
        return NamedContent(*rows[0]) if rows else None

    def parents(self, repository_id: int, digest: str, limit: int) -> list[bytes]:
        """Return the content of some manifests that refer to a digest.

        :param limit: the maximum number of results.
        """
        Manifest, Reference = (
            self._db.models.Manifest,
            self._db.models.ManifestReference,
        )
        statement = (
            sa.select(Manifest.content)
            .join(Reference, Reference.manifest_id == Manifest.id)
            .where(Manifest.repository_id == repository_id, Reference.digest == digest)
            .limit(limit)
        )
        return list(self._db.session.scalars(statement))

    def prune(self) -> None:
        """Delete leases of killed processes, and old checks of tags that the repository
        has no more."""
        Tag = self._db.models.Tag
        checks = self._db.models.UpstreamCheck.__table__
        tagged = sa.exists().where(
            Tag.repository_id == checks.c.repository_id, Tag.name == checks.c.reference
        )
        is_old = checks.c.checked_at < utcnow() - CHECK_LIFETIME

        def work() -> None:
            self.leases.delete_abandoned()
            self._db.execute(sa.delete(checks).where(is_old, ~tagged))

        self._db.write(work)

    @cached_property
    def _checks(self) -> sa.Select[t.Any]:
        check = self._db.models.UpstreamCheck.__table__.c
        return sa.select(check.checked_at, check.state).where(
            check.repository_id == sa.bindparam("repository_id"),
            check.reference == sa.bindparam("reference"),
        )

    @cached_property
    def _tag_checks(self) -> sa.Select[t.Any]:
        check = self._db.models.UpstreamCheck.__table__.c
        tag = self._db.models.Tag.__table__.c
        # A tag that a retention rule has deleted is fetched again.
        return self._checks.where(
            tag.repository_id == check.repository_id, tag.name == check.reference
        )

    @cached_property
    def _naming(self) -> sa.Select[t.Any]:
        manifest = self._db.models.Manifest.__table__.c
        reference = self._db.models.ManifestReference.__table__.c
        return (
            sa.select(reference.kind, reference.media_type, reference.size)
            .where(
                reference.digest == sa.bindparam("digest"),
                reference.manifest_id == manifest.id,
                manifest.repository_id == sa.bindparam("repository_id"),
            )
            .limit(1)
        )
