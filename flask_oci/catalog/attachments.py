"""Attachments: facts about signatures, scans and other artifacts of images."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from ..errors import NameUnknown
from .database import Condition
from .database import Database

AttachmentKind = t.Literal["signature", "scan", "other"]

#: The maximum number of facts of one kind that a decision considers, the newest first.
MAX_FACTS: t.Final = 200

#: How many levels of indexes above a manifest are considered.
MAX_DEPTH: t.Final = 4

#: The maximum number of indexes above a manifest that are considered.
MAX_PARENTS: t.Final = 100


class AttachmentFacts(t.NamedTuple):
    """The facts about an artifact that is attached to a manifest."""

    subject: str
    digest: str
    attached_by: str
    kind: str
    is_verified: bool
    facts: dict[str, t.Any]
    attached_at: datetime
    checked_at: datetime
    tag: str | None = None


class Attachments:
    """Records facts, and finds those of an image."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(
        self, repository_id: int, found: AttachmentFacts, checked_with: str
    ) -> None:
        """Record the facts about an artifact.

        :param checked_with: the identifier of the set of trusted signers.
        :raises NameUnknown: if the repository has been deleted.
        """
        key = {
            "repository_id": repository_id,
            "subject_digest": found.subject,
            "digest": found.digest,
            "attached_by": found.attached_by,
        }
        values = {
            "tag": found.tag,
            "kind": found.kind,
            "is_verified": found.is_verified,
            "facts": found.facts,
            "attached_at": found.attached_at,
            "checked_at": utcnow(),
            "checked_with": checked_with,
        }

        def work() -> None:
            if self._db.lock_repository(repository_id, changes=False) is None:
                raise NameUnknown
            self._db.upsert(self._db.models.Attachment, key, **values)

        self._db.write(work)

    def verified_signatures(
        self, repository_id: int, subjects: Sequence[str]
    ) -> list[AttachmentFacts]:
        """Return the signatures of some manifests that a signer made who was trusted
        when they were checked, the newest first."""
        columns = self._table.c
        return self._of(
            repository_id,
            subjects,
            sa.and_(columns.kind == "signature", columns.is_verified),
        )

    def scans(
        self, repository_id: int, subjects: Sequence[str], by: Sequence[str] = ()
    ) -> list[AttachmentFacts]:
        """Return the results of scans of some manifests: the last ones by each user,
        those of the first manifest before others, and then the newest.

        :param by: the names of the users whose results count; empty for all.
        """
        columns = self._table.c
        condition = columns.kind == "scan"
        if by:
            condition = sa.and_(condition, columns.attached_by.in_(by))
        number = sa.func.row_number().over(
            partition_by=(columns.subject_digest, columns.attached_by),
            order_by=(columns.attached_at.desc(), columns.id.desc()),
        )
        # Many results by one user must not hide the last ones by another.
        first = (
            sa.case((number == 1, 0), else_=1),
            sa.case((columns.subject_digest == subjects[0], 0), else_=1),
        )
        return self._of(repository_id, subjects, condition, first)

    def signatures(
        self, repository_id: int, subjects: Sequence[str]
    ) -> list[AttachmentFacts]:
        """Return the signatures of some manifests, the verified ones first."""
        return self._of(repository_id, subjects, self._table.c.kind == "signature")

    def is_attachment(self, repository_id: int, digest: str) -> bool:
        """Return True if a manifest was read as an artifact that is attached to
        another, and that contains JSON documents only."""
        columns = self._table.c
        rows = self._db.execute(
            sa.select(columns.facts)
            .where(columns.repository_id == repository_id, columns.digest == digest)
            .limit(1)
        ).scalars()
        return any(facts.get("is_json") for facts in rows)

    def parents(self, repository_id: int, digest: str) -> list[str]:
        """Return the digests of the indexes that contain a manifest, on several
        levels."""
        found: dict[str, None] = {}
        level = [digest]
        for _ in range(MAX_DEPTH):
            level = [d for d in self._parents(repository_id, level) if d not in found]
            found |= dict.fromkeys(level)
            if not level or len(found) >= MAX_PARENTS:
                break
        return [each for each in found if each != digest]

    def _parents(self, repository_id: int, digests: list[str]) -> list[str]:
        manifest = self._db.models.Manifest.__table__
        reference = self._db.models.ManifestReference.__table__
        rows = self._db.execute(
            sa.select(manifest.c.digest)
            .distinct()
            .join(reference, reference.c.manifest_id == manifest.c.id)
            .where(
                manifest.c.repository_id == repository_id,
                reference.c.digest.in_(digests),
                reference.c.kind == "child",
            )
            .order_by(manifest.c.digest)
            .limit(MAX_PARENTS)
        )
        return list(rows.scalars())

    def pushed_at(self, repository_id: int, digest: str) -> datetime | None:
        """Return when a manifest was first pushed, or None if there is none."""
        columns = self._db.models.Manifest.__table__.c
        found = self._db.execute(
            sa.select(columns.pushed_at).where(
                columns.repository_id == repository_id, columns.digest == digest
            )
        ).scalar()
        return None if found is None else as_utc(found)

    def prune(self) -> int:
        """Delete the facts about artifacts that do not exist any more.

        :return: the number of deleted rows.
        """
        facts, manifest = self._table, self._db.models.Manifest.__table__
        exists = sa.exists().where(
            manifest.c.repository_id == facts.c.repository_id,
            manifest.c.digest == facts.c.digest,
        )
        gone = sa.select(facts.c.id).where(sa.not_(exists)).limit(1000)

        def work() -> int:
            keys = list(self._db.execute(gone).scalars())
            return self._db.change(sa.delete(facts).where(facts.c.id.in_(keys)))

        return self._db.write(work)

    def _of(
        self,
        repository_id: int,
        subjects: Sequence[str],
        condition: Condition,
        first: Sequence[sa.ColumnElement[t.Any]] = (),
    ) -> list[AttachmentFacts]:
        facts, manifest = self._table.c, self._db.models.Manifest.__table__.c
        tag = self._db.models.Tag.__table__.c
        # The artifact may have been deleted, or its tag may have been moved.
        is_tagged = sa.exists().where(
            tag.repository_id == repository_id,
            tag.name == facts.tag,
            tag.manifest_id == manifest.id,
        )
        rows = self._db.execute(
            sa.select(
                facts.subject_digest,
                facts.digest,
                facts.attached_by,
                facts.kind,
                facts.is_verified,
                facts.facts,
                facts.attached_at,
                facts.checked_at,
                facts.tag,
            )
            .join(
                self._db.models.Manifest.__table__,
                sa.and_(
                    manifest.repository_id == repository_id,
                    manifest.digest == facts.digest,
                ),
            )
            .where(
                facts.repository_id == repository_id,
                facts.subject_digest.in_(subjects),
                sa.or_(facts.tag.is_(None), is_tagged),
                condition,
            )
            .order_by(
                *first,
                facts.is_verified.desc(),
                facts.attached_at.desc(),
                facts.id.desc(),
            )
            .limit(MAX_FACTS)
        )
        return [_attachment(row) for row in rows]

    @property
    def _table(self) -> sa.Table:
        return self._db.models.Attachment.__table__


def _attachment(row: t.Any) -> AttachmentFacts:
    return AttachmentFacts(
        row.subject_digest,
        row.digest,
        row.attached_by,
        row.kind,
        row.is_verified,
        row.facts,
        as_utc(row.attached_at),
        as_utc(row.checked_at),
        row.tag,
    )
