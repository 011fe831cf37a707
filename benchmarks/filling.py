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
    repositories = -(-count // PER_REPOSITORY)
    prefix = f"stored{count}"
    repository = _next(session, models.Repository)
    blob, manifest = _next(session, models.Blob), _next(session, models.Manifest)
    numbers = range(count)
    _insert(
        session,
        models.Repository,
        (
            {"id": repository + number, "name": f"{prefix}/r{number:06}"}
            for number in range(repositories)
        ),
    )
    owners = [repository + number // PER_REPOSITORY for number in numbers]
    digests = [_digest(f"{prefix} {number}") for number in numbers]
    _insert(
        session,
        models.Blob,
        (
            {"id": blob + number, "digest": digests[number], "size": 1}
            for number in numbers
        ),
    )
    _insert(
        session,
        models.RepositoryBlob,
        (
            {"repository_id": owners[number], "blob_id": blob + number}
            for number in numbers
        ),
    )
    _insert(
        session,
        models.Manifest,
        (
            {"id": manifest + number, **_manifest(owners[number], number)}
            for number in numbers
        ),
    )
    _insert(
        session,
        models.ManifestReference,
        (
            {
                "manifest_id": manifest + number,
                "position": 0,
                "kind": "layer",
                "digest": digests[number],
                "media_type": "application/vnd.oci.image.layer.v1.tar+gzip",
                "size": 1,
            }
            for number in numbers
        ),
    )
    _insert(
        session,
        models.Tag,
        (
            {
                "repository_id": owners[number],
                "name": f"t{number:06}",
                "manifest_id": manifest + number,
            }
            for number in numbers
        ),
    )
    _renumber(session, models)


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
