"""Database rows that make a registry look as if many images had been pushed to it.

A hundred thousand pushes would take an hour; their rows take seconds.
"""

from __future__ import annotations

import hashlib
import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from sqlalchemy.orm import scoped_session

    from flask_oci.catalog.models import Models

    Session = scoped_session[t.Any]

_Rows = t.Iterator[dict[str, t.Any]]

#: The number of images in one repository.
PER_REPOSITORY: t.Final = 20

_BATCH = 1000


def tags(models: Models, session: Session, repository: str, count: int) -> None:
    """Give a repository with one tag this many more."""
    Repository, Tag = models.Repository, models.Tag
    tag = session.execute(
        sa.select(Tag.repository_id, Tag.manifest_id)
        .join(Repository, Repository.id == Tag.repository_id)
        .where(Repository.name == repository)
    ).one()
    _insert(
        session,
        Tag,
        ({**tag._mapping, "name": f"t{number:06}"} for number in range(count)),
    )


def catalog(models: Models, session: Session, count: int, readable: int) -> None:
    """Create repositories without an owner, some of them public, with an image each."""
    every = count // readable
    first = _next(session, models.Repository)
    _insert(
        session,
        models.Repository,
        (
            {
                "id": first + number,
                "name": f"many/r{number:06}",
                "visibility": "private" if number % every else "public",
            }
            for number in range(count)
        ),
    )
    _insert(
        session,
        models.Manifest,
        (_manifest(first + number, number) for number in range(count)),
    )
    _renumber(session, models)


def images(models: Models, session: Session, count: int) -> None:
    """Create images of one layer, in repositories without an owner."""
    new = _Images(
        f"stored{count}",
        count,
        _next(session, models.Repository),
        _next(session, models.Blob),
        _next(session, models.Manifest),
    )
    _insert(session, models.Repository, new.repositories())
    _insert(session, models.Blob, new.blobs())
    _insert(session, models.RepositoryBlob, new.links())
    _insert(session, models.Manifest, new.manifests())
    _insert(session, models.ManifestReference, new.references())
    _insert(session, models.Tag, new.tags())
    _renumber(session, models)


class _Images(t.NamedTuple):
    """The rows of images of one layer."""

    prefix: str
    """The first component of the names of their repositories."""

    total: int
    repository: int
    """The key of the first repository."""

    blob: int
    """The key of the first blob."""

    manifest: int
    """The key of the first manifest."""

    def repositories(self) -> _Rows:
        for number in range(-(-self.total // PER_REPOSITORY)):
            yield {
                "id": self.repository + number,
                "name": f"{self.prefix}/r{number:06}",
            }

    def blobs(self) -> _Rows:
        for number in range(self.total):
            yield {"id": self.blob + number, "digest": self._layer(number), "size": 1}

    def links(self) -> _Rows:
        for number in range(self.total):
            yield {
                "repository_id": self._repository_of(number),
                "blob_id": self.blob + number,
            }

    def manifests(self) -> _Rows:
        for number in range(self.total):
            manifest = _manifest(self._repository_of(number), number)
            yield {"id": self.manifest + number, **manifest}

    def references(self) -> _Rows:
        for number in range(self.total):
            yield {
                "manifest_id": self.manifest + number,
                "position": 0,
                "kind": "layer",
                "digest": self._layer(number),
                "media_type": "application/vnd.oci.image.layer.v1.tar+gzip",
                "size": 1,
            }

    def tags(self) -> _Rows:
        for number in range(self.total):
            yield {
                "repository_id": self._repository_of(number),
                "name": f"t{number:06}",
                "manifest_id": self.manifest + number,
            }

    def _layer(self, number: int) -> str:
        return _digest(f"{self.prefix} {number}")

    def _repository_of(self, number: int) -> int:
        return self.repository + number // PER_REPOSITORY


def _manifest(repository_id: int, number: int) -> dict[str, t.Any]:
    return {
        "repository_id": repository_id,
        "digest": _digest(f"{repository_id} {number}"),
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "size": 512,
        "content": b" " * 512,
    }


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _next(session: Session, model: type[t.Any]) -> int:
    return (session.scalar(sa.select(sa.func.max(model.id))) or 0) + 1


def _insert(
    session: Session, model: type[t.Any], rows: t.Iterable[dict[str, t.Any]]
) -> None:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            session.execute(sa.insert(model.__table__), batch)
            batch = []
    if batch:
        session.execute(sa.insert(model.__table__), batch)
    session.commit()


def _renumber(session: Session, models: Models) -> None:
    """Make PostgreSQL's sequences continue after the keys that were inserted here."""
    if session.get_bind().dialect.name == "postgresql":
        for model in (models.Repository, models.Blob, models.Manifest):
            table = model.__tablename__
            sequence = sa.func.pg_get_serial_sequence(table, "id")
            last = sa.select(sa.func.max(model.id)).scalar_subquery()
            session.execute(sa.select(sa.func.setval(sequence, last)))
        session.commit()
