"""States of upstreams: their latest answers, and the size of their cached content."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .database import Database

#: The maximum length of a recorded failure, in characters.
MAX_FAILURE: t.Final = 255


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


class UpstreamStates:
    """Reads and records the answers of upstreams, and counts their cached content."""

    def __init__(self, database: Database) -> None:
        self._db = database

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
