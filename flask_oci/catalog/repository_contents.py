"""Repository contents: tags and manifests, for the pages.

Each method executes one or two statements, regardless of the number of tags and
manifests.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from ..clock import as_utc
from ..robot_key import key_of_row
from ..rules.protection import ATTACHED
from .database import Condition
from .database import Database
from .references import CHUNK

#: The maximum number of a manifest's descriptors, and of its referrers, on a page.
SHOWN: t.Final = 500


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A manifest on a page."""

    id: int
    digest: str
    media_type: str
    artifact_type: str
    subject: str | None
    annotations: dict[str, str]
    """Its annotations; empty if they were not read."""

    size: int
    """The size of the manifest itself, in bytes."""

    pushed_at: datetime
    pushed_by_id: t.Any
    pulled_at: datetime | None
    """When it was last pulled, to about an hour."""

    content: bytes | None
    """Its bytes, or None if they were not read."""


class TagRow(t.NamedTuple):
    """A tag and its manifest. The name is None for an untagged manifest."""

    name: str | None
    moved_at: datetime
    manifest: ManifestRow


class RepositoryContents:
    """Reads tags and manifests."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def tags(
        self,
        repository_id: int,
        limit: int,
        *,
        search: str = "",
        attached: bool = False,
        newest_first: bool = True,
        behind: tuple[str, datetime] | None = None,
    ) -> list[TagRow]:
        """Return tags with their manifests, without annotations and bytes.

        :param limit: the maximum number of results.
        :param search: text that the names contain, in upper or lower case.
        :param attached: True lists the tags that attach something to an image, such as
            a signature; False lists the others.
        :param newest_first: True orders by the last move; False orders by name.
        :param behind: the name and the time of the last one of the previous page.
        """
        Manifest, Tag = self._db.models.Manifest, self._db.models.Tag
        belongs = only_attached(Tag.name)
        statement = (
            sa.select(Tag.name, Tag.updated_at, *columns(self._db))
            .join(Manifest, Manifest.id == Tag.manifest_id)
            .where(
                Tag.repository_id == repository_id,
                belongs if attached else sa.not_(belongs),
            )
            .limit(limit)
        )
        if search:
            statement = statement.where(Tag.name.icontains(search, autoescape=True))
        if behind is not None:
            name, moment = behind
            later = Tag.name > name
            if newest_first:
                same = sa.and_(Tag.updated_at == moment, later)
                later = sa.or_(Tag.updated_at < moment, same)
            statement = statement.where(later)
        if newest_first:
            statement = statement.order_by(Tag.updated_at.desc())
        rows = self._db.session.execute(statement.order_by(Tag.name))
        return [TagRow(row[0], as_utc(row[1]), manifest_row(row[2:])) for row in rows]

    def untagged(
        self, repository_id: int, limit: int, behind: tuple[str, datetime] | None = None
    ) -> list[TagRow]:
        """Return manifests without a tag, an index or a subject, the last pushed first,
        without annotations and bytes.

        :param limit: the maximum number of results.
        :param behind: the digest and the time of the last one of the previous page.
        """
        models = self._db.models
        Manifest, Tag, Reference = models.Manifest, models.Tag, models.ManifestReference
        Parent = aliased(Manifest)
        child = sa.exists().where(
            Parent.repository_id == repository_id,
            Reference.manifest_id == Parent.id,
            Reference.digest == Manifest.digest,
        )
        statement = (
            sa.select(Manifest.pushed_at, *columns(self._db))
            .where(
                Manifest.repository_id == repository_id,
                Manifest.subject_digest.is_(None),
                ~sa.exists().where(Tag.manifest_id == Manifest.id),
                ~child,
            )
            .order_by(Manifest.pushed_at.desc(), Manifest.digest)
            .limit(limit)
        )
        if behind is not None:
            digest, moment = behind
            same = sa.and_(Manifest.pushed_at == moment, Manifest.digest > digest)
            statement = statement.where(sa.or_(Manifest.pushed_at < moment, same))
        rows = self._db.session.execute(statement)
        return [TagRow(None, as_utc(row[0]), manifest_row(row[1:])) for row in rows]

    def manifests(
        self,
        repository_id: int,
        digests: Sequence[str],
        *,
        whole: bool = False,
    ) -> dict[str, ManifestRow]:
        """Return the existing manifests among the given digests, by digest.

        :param whole: whether to read their annotations and bytes.
        """
        Manifest = self._db.models.Manifest
        rows = self._db.session.execute(
            sa.select(*columns(self._db, whole)).where(
                Manifest.repository_id == repository_id, Manifest.digest.in_(digests)
            )
        )
        return {row[1]: manifest_row(row) for row in rows}

    def contents(self, manifest_ids: Sequence[int]) -> dict[int, bytes]:
        """Return the bytes of some manifests, by their keys."""
        Manifest = self._db.models.Manifest
        rows = self._db.session.execute(
            sa.select(Manifest.id, Manifest.content).where(
                Manifest.id.in_(manifest_ids)
            )
        )
        return {row.id: row.content for row in rows}

    def annotations(self, manifest_id: int) -> dict[str, str]:
        """Return the annotations of a manifest."""
        Manifest = self._db.models.Manifest
        return (
            self._db.session.scalar(
                sa.select(Manifest.annotations).where(Manifest.id == manifest_id)
            )
            or {}
        )

    def tagged(self, repository_id: int, name: str) -> TagRow | None:
        """Return a tag with its manifest and all of its bytes, or None."""
        Manifest, Tag = self._db.models.Manifest, self._db.models.Tag
        row = self._db.session.execute(
            sa.select(Tag.name, Tag.updated_at, *columns(self._db, True))
            .join(Manifest, Manifest.id == Tag.manifest_id)
            .where(Tag.repository_id == repository_id, Tag.name == name)
        ).first()
        return TagRow(row[0], as_utc(row[1]), manifest_row(row[2:])) if row else None

    def tag_names(
        self, repository_id: int, digests: Sequence[str]
    ) -> dict[str, list[str]]:
        """Return the tags of some manifests, by digest."""
        Manifest, Tag = self._db.models.Manifest, self._db.models.Tag
        rows = self._db.session.execute(
            sa.select(Manifest.digest, Tag.name)
            .join(Tag, Tag.manifest_id == Manifest.id)
            .where(Manifest.repository_id == repository_id)
            .where(Manifest.digest.in_(digests))
            .order_by(Tag.name)
            .limit(SHOWN)
        )
        found: defaultdict[str, list[str]] = defaultdict(list)
        for digest, name in rows:
            found[digest].append(name)
        return found

    def existing_tags(self, repository_id: int, names: Sequence[str]) -> set[str]:
        """Return the given names that are tags of the repository."""
        Tag, found = self._db.models.Tag, set[str]()
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            statement = sa.select(Tag.name).where(
                Tag.repository_id == repository_id, Tag.name.in_(chunk)
            )
            found.update(self._db.session.scalars(statement))
        return found


def only_attached(name: t.Any) -> Condition:
    """Return the condition for a tag that attaches something to an image, as
    :func:`flask_oci.rules.protection.is_attached` decides for one name."""
    # The prefix excludes most names faster than the regular expression.
    return sa.and_(name.startswith("sha"), name.regexp_match(ATTACHED))


def columns(database: Database, whole: bool = False) -> tuple[t.Any, ...]:
    """Return the columns that :func:`manifest_row` reads.

    :param whole: whether to read the annotations and the bytes. Lists do not read them,
        because many tags may point at one large manifest.
    """
    Manifest = database.models.Manifest
    return (
        Manifest.id,
        Manifest.digest,
        Manifest.media_type,
        Manifest.artifact_type,
        Manifest.subject_digest,
        Manifest.annotations if whole else sa.null(),
        Manifest.size,
        Manifest.pushed_at,
        Manifest.pushed_by_id,
        Manifest.pulled_at,
        Manifest.content if whole else sa.null(),
        Manifest.pushed_by_robot,
    )


def manifest_row(row: t.Any) -> ManifestRow:
    """Return the manifest of a row of :func:`columns`."""
    *values, robot = row
    values[3] = values[3] or ""
    values[5] = values[5] or {}
    values[7] = as_utc(values[7])
    values[8] = key_of_row(values[8], robot)
    values[9] = values[9] and as_utc(values[9])
    return ManifestRow(*values)
