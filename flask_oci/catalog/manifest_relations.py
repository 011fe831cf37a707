"""Manifest relations in one repository: sizes, referrers and parents, for the pages."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from ..storage.place import Place
from .database import Database
from .places import columns_of
from .places import place_of
from .repository_contents import columns
from .repository_contents import manifest_row
from .repository_contents import ManifestRow
from .repository_contents import SHOWN


class PullSize(t.NamedTuple):
    """The sizes of the blobs that one pull takes, in bytes. Both are the same unless
    the manifest is an index with images of different sizes."""

    smallest: int = 0
    largest: int = 0


#: The annotation of a Sigstore bundle with the predicate type of its statement.
PREDICATE_TYPE: t.Final = "dev.sigstore.bundle.predicateType"


#: The maximum size of a manifest whose predicate type is read, in bytes.
SMALL_BUNDLE: t.Final = 16 * 1024


class Weight(t.NamedTuple):
    """The size and the type of a manifest's content."""

    bytes: int
    """The size of the blobs that it needs, each counted once, as in the figures of a
    repository. Manifests are in the database and are not counted."""

    config: tuple[str, str, int] | None
    """The media type, digest and size in bytes of its config."""

    layer_type: str
    """The media type of one of its layers or children. It identifies the type of some
    artifacts."""

    pull: PullSize = PullSize()
    """The size of one pull, which takes one of the images of an index."""


#: The weight of a manifest without content.
WEIGHTLESS: t.Final = Weight(0, None, "")


class ManifestRelations:
    """Reads descriptors, indexes and referrers."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def weights(
        self, repository_id: int, manifest_ids: Sequence[int]
    ) -> dict[int, Weight]:
        """Return the weights of some manifests, by the manifests' keys."""
        own = self._own(repository_id, manifest_ids)
        config = own.c.kind == "config"
        # In a BuildKit cache, the config is one of the index's children, and its media
        # type is the first in alphabetical order.
        layer_type = sa.case((own.c.kind != "config", own.c.media_type))
        rows = self._db.session.execute(
            sa.select(
                own.c.manifest_id,
                _total(sa.case((own.c.child_id.is_(None), own.c.size), else_=0)),
                sa.func.min(sa.case((config, own.c.media_type))),
                sa.func.min(sa.case((config, own.c.digest))),
                sa.func.min(sa.case((config, own.c.size))),
                sa.func.min(layer_type),
                sa.func.max(own.c.child_id),
            ).group_by(own.c.manifest_id)
        ).all()
        indexes = [row[0] for row in rows if row[-1] is not None]
        below = self._below(repository_id, indexes)
        pulls = self._pulls(repository_id, indexes)
        found = {}
        for key, size, kind, digest, length, layer, _ in rows:
            one, pull = int(size), pulls.get(key, PullSize())
            found[key] = Weight(
                one + below.get(key, 0),
                (kind, digest, length) if digest else None,
                layer or "",
                PullSize(one + pull.smallest, one + pull.largest),
            )
        return found

    def _own(self, repository_id: int, manifest_ids: Sequence[int]) -> sa.Subquery:
        """Return a query of the distinct references of some manifests. ``child_id`` is
        the key of a referenced manifest of the same repository."""
        Reference = self._db.models.ManifestReference
        Child = aliased(self._db.models.Manifest)
        is_child = sa.and_(
            Child.digest == Reference.digest, Child.repository_id == repository_id
        )
        return (
            sa.select(
                Reference.manifest_id,
                Reference.digest,
                Reference.size,
                Reference.kind,
                Reference.media_type,
                Child.id.label("child_id"),
            )
            .outerjoin(Child, is_child)
            .where(Reference.manifest_id.in_(manifest_ids))
            .distinct()
            .subquery()
        )

    def _below(self, repository_id: int, manifest_ids: Sequence[int]) -> dict[int, int]:
        """Return the bytes that the children of each manifest reference, by its key.
        Each blob counts once per manifest."""
        if not manifest_ids:
            return {}
        Below = aliased(self._db.models.ManifestReference)
        children = self._children(repository_id, manifest_ids)
        below = (
            sa.select(children.c.manifest_id, Below.digest, Below.size)
            .join(Below, Below.manifest_id == children.c.child_id)
            .distinct()
            .subquery()
        )
        rows = self._db.session.execute(
            sa.select(below.c.manifest_id, _total(below.c.size)).group_by(
                below.c.manifest_id
            )
        )
        return {key: int(size) for key, size in rows}

    def _pulls(
        self, repository_id: int, manifest_ids: Sequence[int]
    ) -> dict[int, PullSize]:
        """Return the sizes of the images of each index, by its key. Attestations do not
        count, unless the index has nothing else."""
        if not manifest_ids:
            return {}
        Below = aliased(self._db.models.ManifestReference)
        children = self._children(repository_id, manifest_ids)
        attests = sa.case((Below.media_type.contains("in-toto"), 1), else_=0)
        blob = (children.c.manifest_id, children.c.child_id, Below.digest, Below.size)
        blobs = (
            sa.select(*blob, sa.func.max(attests).label("attests"))
            .join(Below, Below.manifest_id == children.c.child_id)
            .group_by(*blob)
            .subquery()
        )
        image = (
            sa.select(
                blobs.c.manifest_id,
                _total(blobs.c.size).label("size"),
                sa.func.max(blobs.c.attests).label("attests"),
            )
            .group_by(blobs.c.manifest_id, blobs.c.child_id)
            .subquery()
        )
        least, most = sa.func.min, sa.func.max
        size = sa.case((image.c.attests == 0, image.c.size))
        bounds = (least(size), most(size), least(image.c.size), most(image.c.size))
        rows = self._db.session.execute(
            sa.select(image.c.manifest_id, *bounds).group_by(image.c.manifest_id)
        )
        return {
            key: PullSize(*map(int, all_ if smallest is None else (smallest, largest)))
            for key, smallest, largest, *all_ in rows
        }

    def _children(self, repository_id: int, manifest_ids: Sequence[int]) -> sa.Subquery:
        """Return a query of the existing children of some indexes, each once."""
        Reference = self._db.models.ManifestReference
        Child = aliased(self._db.models.Manifest)
        # An index and its child may repeat one descriptor ten thousand times each.
        return (
            sa.select(Reference.manifest_id, Child.id.label("child_id"))
            .join(Child, Child.digest == Reference.digest)
            .where(
                Reference.manifest_id.in_(manifest_ids),
                Reference.kind == "child",
                Child.repository_id == repository_id,
            )
            .distinct()
            .subquery()
        )

    def referrers(
        self, repository_id: int, digests: Sequence[str]
    ) -> dict[str, list[ManifestRow]]:
        """Return the referrers of some manifests, by the digest of the subject."""
        Manifest = self._db.models.Manifest
        rows = self._db.session.execute(
            sa.select(*columns(self._db))
            .where(
                Manifest.repository_id == repository_id,
                Manifest.subject_digest.in_(digests),
            )
            .order_by(Manifest.pushed_at.desc(), Manifest.digest)
            .limit(SHOWN)
        )
        found: defaultdict[str, list[ManifestRow]] = defaultdict(list)
        for row in map(manifest_row, rows):
            found[str(row.subject)].append(row)
        return found

    def count_referrers(self, repository_id: int, digests: Sequence[str]) -> int:
        """Return the number of referrers of some manifests."""
        Manifest = self._db.models.Manifest
        return (
            self._db.session.scalar(
                sa.select(sa.func.count()).where(
                    Manifest.repository_id == repository_id,
                    Manifest.subject_digest.in_(digests),
                )
            )
            or 0
        )

    def referrer_types(
        self, repository_id: int, digests: Sequence[str]
    ) -> dict[str, set[tuple[str, str]]]:
        """Return the artifact types and the predicate types of the referrers of some
        manifests, by the digest of the subject.

        The predicate types are those of Sigstore bundles, or empty.
        """
        Manifest = self._db.models.Manifest
        rows = self._db.session.execute(
            sa.select(
                Manifest.subject_digest, Manifest.artifact_type, self._predicate()
            )
            .where(
                Manifest.repository_id == repository_id,
                Manifest.subject_digest.in_(digests),
            )
            .distinct()
            .limit(SHOWN)
        )
        found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for digest, kind, predicate in rows:
            found[str(digest)].add((kind or "", predicate or ""))
        return found

    def predicates(self, manifest_ids: Sequence[int]) -> dict[int, str]:
        """Return the predicate types of Sigstore bundles, by the manifests' keys."""
        if not manifest_ids:
            return {}
        Manifest = self._db.models.Manifest
        rows = self._db.session.execute(
            sa.select(Manifest.id, self._predicate()).where(
                Manifest.id.in_(manifest_ids)
            )
        )
        return {key: predicate or "" for key, predicate in rows}

    def _predicate(self) -> sa.ColumnElement[t.Any]:
        """Return the column with the start of the predicate type of a Sigstore bundle.

        A database parses the annotations of a manifest to read one of them, so those of
        a large manifest are not read.
        """
        Manifest = self._db.models.Manifest
        stated: t.Any = Manifest.annotations[PREDICATE_TYPE]
        is_bundle = sa.and_(
            Manifest.artifact_type.contains("sigstore.bundle"),
            Manifest.size <= SMALL_BUNDLE,
        )
        return sa.case((is_bundle, sa.func.substr(stated.as_string(), 1, 200)))

    def parents(self, repository_id: int, digest: str) -> list[str]:
        """Return the digests of up to 20 indexes that a manifest belongs to."""
        Manifest = self._db.models.Manifest
        Reference = self._db.models.ManifestReference
        return list(
            self._db.session.scalars(
                sa.select(Manifest.digest)
                .join(Reference, Reference.manifest_id == Manifest.id)
                .where(
                    Manifest.repository_id == repository_id,
                    Reference.digest == digest,
                    Reference.kind == "child",
                )
                .order_by(Manifest.pushed_at.desc())
                .limit(20)
            )
        )

    def linked(self, repository_id: int, digests: Sequence[str]) -> dict[str, Place]:
        """Return the places of the given blobs that the repository may read, by their
        digest.

        If the host allows sparse manifests, a manifest may reference content that its
        repository does not have.
        """
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        rows = self._db.session.execute(
            sa.select(*columns_of(Blob))
            .join(Link, Link.blob_id == Blob.id)
            .where(Link.repository_id == repository_id, Blob.digest.in_(digests))
        )
        return {row[0]: place_of(row) for row in rows}


def _total(sizes: sa.ColumnElement[int]) -> sa.ColumnElement[t.Any]:
    """Return the sum of declared sizes, which no database may overflow at.

    A client declares the size of a foreign layer, and nothing verifies it. SQLite adds
    integers in 64 bits and fails beyond them, but it adds decimals as floats.
    """
    return sa.func.sum(sizes * sa.literal_column("1.0"))
