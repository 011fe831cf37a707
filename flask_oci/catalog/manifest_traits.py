"""Manifest traits: the kinds and the platforms that lists of repositories filter by."""

from __future__ import annotations

import typing as t
from collections.abc import Collection
from collections.abc import Sequence

import sqlalchemy as sa

from .database import Condition
from .database import Database

#: The maximum number of kinds and platforms of one repository that a list reads.
MAX_EACH: t.Final = 30


class Traits(t.NamedTuple):
    """The kind and the platform of a manifest's content."""

    kind: str | None
    """The key of the kind; empty if lists of repositories do not show it, and None if
    it is not known."""

    platform: str | None = None
    config: str = ""
    """The digest of the config that the platform is from."""

    def without(self, missing: Collection[str]) -> Traits:
        """Return the traits that the repository may know.

        :param missing: the digests of content that the repository does not have. It may
            be content of a repository that is hidden from the pusher.
        """
        return self._replace(platform=None) if self.config in missing else self

    def columns(self) -> dict[str, str | None]:
        """Return the columns to set; empty if nothing is known."""
        if self.kind is None:
            return {}
        return {"kind": self.kind, "platform": self.platform}


#: The traits of a manifest that has not been read.
UNKNOWN: t.Final = Traits(None)


class UnknownManifest(t.NamedTuple):
    """A manifest whose traits are not recorded."""

    id: int
    repository_id: int
    media_type: str
    content: bytes


class ContentKinds(t.NamedTuple):
    """The kinds and the platforms of a repository's content."""

    kinds: list[str]
    platforms: list[str]


class ManifestTraits:
    """Reads traits, and records those of manifests that an earlier version stored."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, repository_ids: Sequence[int]) -> dict[int, ContentKinds]:
        """Return the kinds and the platforms of some repositories, by their keys."""
        Manifest = self._db.models.Manifest
        each = (
            sa.select(Manifest.repository_id, Manifest.kind, Manifest.platform)
            .where(Manifest.repository_id.in_(repository_ids), Manifest.kind != "")
            .distinct()
            .subquery()
        )
        # Kinds without a platform come first, so that platforms displace none.
        order = (sa.case((each.c.platform.is_(None), 0), else_=1), each.c.platform)
        number = sa.func.row_number().over(
            partition_by=each.c.repository_id, order_by=(*order, each.c.kind)
        )
        numbered = sa.select(each, number.label("number")).subquery()
        rows = self._db.session.execute(
            sa.select(
                numbered.c.repository_id, numbered.c.kind, numbered.c.platform
            ).where(numbered.c.number <= MAX_EACH)
        ).all()
        found = {key: ContentKinds([], []) for key in repository_ids}
        for key, kind, platform in sorted(rows, key=lambda row: row.platform or ""):
            kinds, platforms = found[key]
            if kind is not None and kind not in kinds:
                kinds.append(kind)
            if platform is not None:
                platforms.append(platform)
        return found

    def unknown(self, limit: int, after: int = 0) -> list[UnknownManifest]:
        """Return manifests whose traits are not recorded, in the order of their keys.

        :param limit: the maximum number of results.
        :param after: the key after which to begin.
        """
        Row = self._db.models.Manifest
        rows = self._db.session.execute(
            sa.select(Row.id, Row.repository_id, Row.media_type, Row.content)
            .where(Row.kind.is_(None), Row.id > after)
            .order_by(Row.id)
            .limit(limit)
        )
        return [UnknownManifest(*row) for row in rows]

    def record(self, found: UnknownManifest, traits: Traits) -> None:
        """Record the traits of a manifest."""
        table = self._db.models.Manifest.__table__

        def work() -> None:
            self._db.lock_repository(found.repository_id, changes=False)
            self._db.execute(
                sa.update(table)
                .where(table.c.id == found.id)
                .values(**traits.columns())
            )

        self._db.write(work)


def has_content(
    database: Database, repository_id: t.Any, *, kind: str = "", platform: str = ""
) -> Condition:
    """Return the condition that a repository has content of a kind and for a platform.

    :param repository_id: the column with the key of the repository.
    :param kind: the key of the kind; empty for every kind.
    :param platform: the platform, or its first parts; empty for every platform.
    """
    Manifest = database.models.Manifest
    conditions: list[Condition] = []
    if kind:
        conditions.append(_exists(Manifest, repository_id, Manifest.kind == kind))
    if platform:
        # Platforms compare bytewise, and "0" follows "/".
        column = Manifest.platform
        below = sa.and_(column > platform + "/", column < platform + "0")
        conditions.append(
            _exists(
                Manifest,
                repository_id,
                Manifest.kind == "image",
                sa.or_(column == platform, below),
            )
        )
    return sa.and_(sa.true(), *conditions)


def _exists(Manifest: t.Any, repository_id: t.Any, *conditions: t.Any) -> t.Any:
    return sa.exists().where(Manifest.repository_id == repository_id, *conditions)
