"""Upstream records: checked tags, leases of fetches, and the state of upstreams."""

from __future__ import annotations

import hashlib
import typing as t
import uuid
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from functools import cached_property

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .database import Database
from .models import DELETED

#: The current time of each database in seconds since 1970. The clocks of several
#: servers may differ. SQLite uses the clock of its only machine.
_CLOCKS: t.Final = {
    "postgresql": "extract(epoch from clock_timestamp())",
    "sqlite": "strftime('%s', 'now')",
    "mysql": "unix_timestamp()",
    "mariadb": "unix_timestamp()",
}

#: How long the lease of a killed process is kept, in seconds.
LEASE_LIFETIME: t.Final = 3600

#: How long the check of a deleted tag, or of referrers, is kept.
CHECK_LIFETIME: t.Final = timedelta(days=30)

#: The maximum length of a recorded failure, in characters.
MAX_FAILURE: t.Final = 255


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


class UpstreamStatus(t.NamedTuple):
    """The latest answers of an upstream."""

    answered_at: datetime | None = None
    rate_limit: str | None = None
    rate_remaining: str | None = None
    failed_at: datetime | None = None
    failure: str | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the upstream has failed since it last answered."""
        return self.failed_at is not None


class CachedTotals(t.NamedTuple):
    """The cached content of an upstream."""

    repositories: int
    tags: int
    bytes: int


class UpstreamRecords:
    """Reads and records what is known of upstreams."""

    def __init__(self, database: Database) -> None:
        self._db = database

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

    def lease(self, name: str, reference: str, seconds: int) -> str | None:
        """Lease the fetch of some content for this process.

        :param name: the name of the repository.
        :param reference: a tag or a digest.
        :param seconds: the time after which another process may take the fetch over.
        :return: the lease, or None if another process has it.
        """
        table = self._db.models.UpstreamFetch.__table__
        key, mine = fetch_key(name, reference), str(uuid.uuid4())

        def work() -> bool:
            now = self._now()
            values = {"lease": mine, "leased_until": now + seconds}
            taken = self._db.change(
                sa.update(table)
                .where(table.c.key == key, table.c.leased_until < now)
                .values(**values)
            )
            if taken:
                return True
            self._db.insert_if_absent(self._db.models.UpstreamFetch, key=key, **values)
            found = self._db.execute(
                sa.select(table.c.lease).where(table.c.key == key).with_for_update()
            )
            return bool(found.scalar() == mine)

        return mine if self._db.write(work) else None

    def renew(self, name: str, reference: str, lease: str, seconds: int) -> None:
        """Prolong a lease, unless another process has taken it over."""
        table = self._db.models.UpstreamFetch.__table__

        def work() -> None:
            self._db.execute(
                sa.update(table)
                .where(
                    table.c.key == fetch_key(name, reference), table.c.lease == lease
                )
                .values(leased_until=self._now() + seconds)
            )

        self._db.record(work)

    def unlease(self, name: str, reference: str, lease: str) -> None:
        """End a lease."""
        table = self._db.models.UpstreamFetch.__table__
        deleting = sa.delete(table).where(
            table.c.key == fetch_key(name, reference), table.c.lease == lease
        )
        self._db.record(lambda: self._db.execute(deleting))

    def leased(self, name: str, reference: str) -> str | None:
        """Return the lease of a fetch that runs, or None."""
        table = self._db.models.UpstreamFetch.__table__
        row = self._db.execute(
            sa.select(table.c.lease, table.c.leased_until).where(
                table.c.key == fetch_key(name, reference)
            )
        ).first()
        if row is None or row[1] < self._now():
            return None
        return str(row[0])

    def prune(self) -> None:
        """Delete leases of killed processes, and old checks of tags that the repository
        has no more."""
        Tag = self._db.models.Tag
        leases = self._db.models.UpstreamFetch.__table__
        checks = self._db.models.UpstreamCheck.__table__
        tagged = sa.exists().where(
            Tag.repository_id == checks.c.repository_id, Tag.name == checks.c.reference
        )
        is_old = checks.c.checked_at < utcnow() - CHECK_LIFETIME

        def work() -> None:
            ended = leases.c.leased_until < self._now() - LEASE_LIFETIME
            self._db.execute(sa.delete(leases).where(ended))
            self._db.execute(sa.delete(checks).where(is_old, ~tagged))

        self._db.write(work)

    def answered(
        self, namespace: str, limit: str | None, remaining: str | None
    ) -> None:
        """Record an answer of an upstream, and its rate limit. Its last failure is
        over."""
        values = {"rate_limit": limit, "rate_remaining": remaining}
        values |= {"failed_at": None, "failure": None}
        self._set_status(namespace, answered_at=utcnow(), **values)

    def failed(self, namespace: str, failure: str) -> None:
        """Record a failure of an upstream."""
        text = failure[:MAX_FAILURE]
        self._set_status(namespace, failed_at=utcnow(), failure=text)

    def _set_status(self, namespace: str, **values: t.Any) -> None:
        model = self._db.models.UpstreamState
        self._db.record(
            lambda: self._db.upsert(model, {"namespace": namespace}, **values)
        )

    def status(self, namespace: str) -> UpstreamStatus:
        """Return the latest answers of an upstream."""
        table = self._db.models.UpstreamState.__table__
        row = self._db.execute(
            sa.select(
                table.c.answered_at,
                table.c.rate_limit,
                table.c.rate_remaining,
                table.c.failed_at,
                table.c.failure,
            ).where(table.c.namespace == namespace)
        ).first()
        if row is None:
            return UpstreamStatus()
        found = UpstreamStatus(*row)
        return found._replace(
            answered_at=found.answered_at and as_utc(found.answered_at),
            failed_at=found.failed_at and as_utc(found.failed_at),
        )

    def totals(self, namespace: str) -> CachedTotals:
        """Return the numbers and the bytes of the cached content of an upstream."""
        models = self._db.models
        Repository, Tag = models.Repository, models.Tag
        Blob, Link = models.Blob, models.RepositoryBlob
        mine = sa.select(Repository.id).where(Repository.upstream == namespace)
        count = self._db.session.scalar
        linked = sa.select(Link.blob_id).where(Link.repository_id.in_(mine))
        size = count(sa.select(sa.func.sum(Blob.size)).where(Blob.id.in_(linked)))
        tags = sa.select(sa.func.count()).where(Tag.repository_id.in_(mine))
        repositories = sa.select(sa.func.count()).where(
            Repository.upstream == namespace
        )
        return CachedTotals(
            int(count(repositories) or 0), int(count(tags) or 0), int(size or 0)
        )

    def names(self, namespace: str) -> list[str]:
        """Return the names of the repositories that cache an upstream."""
        Repository = self._db.models.Repository
        return list(
            self._db.session.scalars(
                sa.select(Repository.name)
                .where(Repository.upstream == namespace)
                .order_by(Repository.name)
            )
        )

    def _now(self) -> int:
        clock = _CLOCKS[self._db.dialect]
        return int(self._db.execute(sa.text(f"SELECT {clock}")).scalar() or 0)

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


def fetch_key(name: str, reference: str) -> str:
    """Return the key of the fetch of some content of a repository."""
    return hashlib.sha256(f"{name} {reference}".encode()).hexdigest()
