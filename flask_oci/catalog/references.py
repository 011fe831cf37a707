"""Manifest references: recording, deleting and querying them."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import cache

import sqlalchemy as sa

from ..clock import utcnow
from ..errors import SizeInvalid
from ..spec.digest import Digest
from ..spec.manifest import Descriptor
from ..spec.manifest import DescriptorKind
from .database import Database
from .models import Models
from .places import columns_of

#: How many values one statement contains, well below the limit of any database.
CHUNK: t.Final = 500

#: The maximum number of manifests in a list of those that need some content.
NAMED: t.Final = 3


class Removal(t.NamedTuple):
    """The result of a request to delete content."""

    done: bool
    """Whether the content existed and has been deleted."""

    needed_by: list[str]
    """The digests of manifests that need the content, if it was kept for them."""


def record(
    database: Database, manifest_id: int, descriptors: Sequence[Descriptor]
) -> None:
    """Record the references of a new manifest, within its transaction."""
    if not descriptors:
        return
    database.execute(
        sa.insert(database.models.ManifestReference.__table__),
        [
            {
                "manifest_id": manifest_id,
                "position": position,
                "kind": descriptor.kind,
                "digest": str(descriptor.digest),
                "media_type": descriptor.media_type,
                "size": descriptor.size,
            }
            for position, descriptor in enumerate(descriptors)
        ],
    )


def delete(database: Database, repository_id: int, manifest_ids: Sequence[int]) -> None:
    """Delete manifests with their references, within a transaction.

    Garbage collection keeps their blobs for the grace period, because a running backup
    may have copied the manifests and not yet the blobs.
    """
    _spare(database, repository_id, manifest_ids)
    models = database.models
    # SQLite cascades only if the host enables foreign keys per connection.
    for table, column in (
        (models.ManifestReference.__table__, "manifest_id"),
        (models.Manifest.__table__, "id"),
    ):
        database.execute(sa.delete(table).where(table.c[column].in_(manifest_ids)))


def _spare(database: Database, repository_id: int, manifest_ids: Sequence[int]) -> None:
    models = database.models
    Blob, Link, Reference = models.Blob, models.RepositoryBlob, models.ManifestReference
    needed = (
        sa.select(Blob.id)
        .join(Reference, Reference.digest == Blob.digest)
        .where(Reference.manifest_id.in_(manifest_ids))
    )
    database.execute(
        sa.update(Link.__table__)
        .where(Link.repository_id == repository_id, Link.blob_id.in_(needed))
        .values(leased_at=utcnow())
    )


def needing(database: Database, repository_id: t.Any, digest: t.Any) -> sa.Exists:
    """Return the condition that a manifest of a repository needs some content.

    :param repository_id: the key of the repository, or a column with it.
    :param digest: the digest of the content, or a column with it.
    """
    models = database.models
    Manifest, Reference = models.Manifest, models.ManifestReference
    return sa.exists().where(
        Reference.digest == digest,
        Reference.manifest_id == Manifest.id,
        Manifest.repository_id == repository_id,
    )


def users_of(
    database: Database,
    repository_id: int,
    digest: Digest,
    kind: DescriptorKind | None = None,
    except_for: Iterable[int] = (),
) -> list[str]:
    """Return the digests of some manifests of a repository that need some content.

    :param digest: the digest of the content.
    :param kind: the kind of the references to consider; None considers all.
    :param except_for: the keys of manifests to leave out.
    """
    models = database.models
    Manifest, Reference = models.Manifest, models.ManifestReference
    statement = (
        sa.select(Manifest.digest)
        .distinct()
        .join(Reference, Reference.manifest_id == Manifest.id)
        .where(Manifest.repository_id == repository_id, Reference.digest == str(digest))
        .limit(NAMED)
    )
    if left_out := list(except_for):
        statement = statement.where(Manifest.id.not_in(left_out))
    if kind is not None:
        statement = statement.where(Reference.kind == kind)
    return list(database.session.scalars(statement))


def missing(
    database: Database,
    repository_id: int,
    descriptors: Sequence[Descriptor],
    lost: t.Collection[str],
) -> list[str]:
    """Return the digests of a manifest's content that a repository does not have.

    The children of an index are manifests, or blobs in a BuildKit cache.

    :param descriptors: the descriptors of the manifest.
    :param lost: the digests of blobs whose bytes the local disk does not have.
    :raises SizeInvalid: if the size of content is not the one in its descriptor.
    """
    wanted = {str(d.digest): d.size for d in descriptors if not d.foreign}
    children = [
        str(d.digest) for d in descriptors if d.kind == "child" and not d.foreign
    ]
    models = database.models
    blobs = list(_found(database, _blob_places(models), repository_id, wanted))
    manifests = list(_found(database, _manifest_sizes(models), repository_id, children))
    for digest, size, *_ in (*blobs, *manifests):
        if size != wanted[digest]:
            raise SizeInvalid(
                f"The manifest gives a size of {wanted[digest]} bytes, but the content"
                f" has {size} bytes.",
                detail=digest,
            )
    stored = {
        digest
        for digest, _, store, location in blobs
        if (digest not in lost if store is None else location is not None)
    }
    held = stored | {digest for digest, _ in manifests}
    return [digest for digest in wanted if digest not in held]


@cache
def _blob_places(models: Models) -> sa.Select[t.Any]:
    blob, link = models.Blob.__table__.c, models.RepositoryBlob.__table__.c
    return sa.select(*columns_of(blob)).where(
        link.blob_id == blob.id,
        link.repository_id == sa.bindparam("repository_id"),
        blob.digest.in_(sa.bindparam("digests", expanding=True)),
    )


@cache
def _manifest_sizes(models: Models) -> sa.Select[t.Any]:
    manifest = models.Manifest.__table__.c
    return sa.select(manifest.digest, manifest.size).where(
        manifest.repository_id == sa.bindparam("repository_id"),
        manifest.digest.in_(sa.bindparam("digests", expanding=True)),
    )


def _found(
    database: Database,
    statement: sa.Select[t.Any],
    repository_id: int,
    digests: Iterable[str],
) -> Iterator[Sequence[t.Any]]:
    """Yield the rows that a statement finds for digests."""
    values = list(digests)
    for start in range(0, len(values), CHUNK):
        chunk = {
            "repository_id": repository_id,
            "digests": values[start : start + CHUNK],
        }
        yield from database.execute(statement, chunk)
