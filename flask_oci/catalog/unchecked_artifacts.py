"""Artifacts to read: those that no fact is recorded of, or whose signers changed."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from .database import Database
from .repository_contents import only_attached


class UncheckedArtifact(t.NamedTuple):
    """An artifact that was not compared with the present set of trusted signers."""

    digest: str
    content: bytes
    subject: str
    tag: str | None
    pushed_by_id: t.Any
    pushed_by_robot: str | None
    pushed_at: datetime


class UncheckedArtifacts:
    """Finds artifacts to read, and the repositories that have some."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(
        self, repository_id: int, checked_with: str, limit: int
    ) -> list[UncheckedArtifact]:
        """Return artifacts that were not read, and signatures that were not compared
        with a set of trusted signers.

        :param checked_with: the identifier of the set.
        :param limit: the maximum number of results.
        """
        manifest = self._db.models.Manifest.__table__.c
        tag = self._db.models.Tag.__table__.c
        facts = self._db.models.Attachment.__table__.c
        is_known = sa.exists().where(
            facts.repository_id == repository_id,
            facts.digest == manifest.digest,
            sa.or_(facts.checked_with == checked_with, facts.kind != "signature"),
        )
        referrers = self._db.execute(
            sa.select(
                manifest.digest,
                manifest.content,
                manifest.subject_digest,
                manifest.pushed_by_id,
                manifest.pushed_by_robot,
                manifest.pushed_at,
            )
            .where(
                manifest.repository_id == repository_id,
                manifest.subject_digest.is_not(None),
                sa.not_(is_known),
            )
            .limit(limit)
        )
        found = [
            UncheckedArtifact(digest, content, subject, None, by, robot, as_utc(at))
            for digest, content, subject, by, robot, at in referrers
        ]
        tagged = self._db.execute(
            sa.select(
                manifest.digest,
                manifest.content,
                tag.name,
                manifest.pushed_by_id,
                manifest.pushed_by_robot,
                manifest.pushed_at,
            )
            .where(
                tag.repository_id == repository_id,
                tag.manifest_id == manifest.id,
                only_attached(tag.name),
                sa.not_(is_known),
            )
            .limit(limit)
        )
        return found + [
            UncheckedArtifact(digest, content, "", name, by, robot, as_utc(at))
            for digest, content, name, by, robot, at in tagged
        ]

    def repositories(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Return the keys and the names of repositories that have signers to check.

        :param after: the key after which the page begins.
        :param limit: the maximum number of results.
        """
        repository = self._db.models.Repository.__table__.c
        manifest = self._db.models.Manifest.__table__.c
        tag = self._db.models.Tag.__table__.c
        has_referrer = sa.exists().where(
            manifest.repository_id == repository.id,
            manifest.subject_digest.is_not(None),
        )
        has_tag = sa.exists().where(
            tag.repository_id == repository.id, only_attached(tag.name)
        )
        rows = self._db.execute(
            sa.select(repository.id, repository.name)
            .where(repository.id > after, sa.or_(has_referrer, has_tag))
            .order_by(repository.id)
            .limit(limit)
        )
        return [(key, name) for key, name in rows]
