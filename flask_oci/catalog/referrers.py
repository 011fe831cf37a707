"""Referrers: the manifests of a repository whose subject is a given digest."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

import sqlalchemy as sa

from ..spec.digest import Digest
from .database import Database

#: The maximum total size of the manifests on one page, in bytes. Clients accept answers
#: of up to 4 MiB, the limit for manifests.
MAX_PAGE_BYTES: t.Final = 3 * 1024 * 1024


class Referrers:
    """Lists the referrers of a subject, which need not exist."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page(
        self,
        repository_id: int,
        subject: Digest,
        artifact_types: Sequence[str],
        limit: int,
        last: str | None,
    ) -> tuple[list[dict[str, t.Any]], bool]:
        """Return descriptors of referrers, ordered by digest.

        :param artifact_types: the types to list; an empty sequence lists all.
        :param limit: the maximum number of results. There may be fewer, because
            annotations can be long.
        :param last: the digest after which the page begins.
        :return: the descriptors, and whether more follow.
        """
        Manifest = self._db.models.Manifest
        statement = (
            sa.select(Manifest.id, Manifest.size)
            .where(
                Manifest.repository_id == repository_id,
                Manifest.subject_digest == str(subject),
            )
            .order_by(Manifest.digest)
            .limit(limit + 1)
        )
        if artifact_types:
            statement = statement.where(Manifest.artifact_type.in_(artifact_types))
        if last is not None:
            statement = statement.where(Manifest.digest > last)
        found = [(key, size) for key, size in self._db.session.execute(statement)]
        fitting = _fitting(found[:limit])
        return self._descriptors(fitting), len(found) > len(fitting)

    def _descriptors(self, keys: Sequence[int]) -> list[dict[str, t.Any]]:
        Manifest = self._db.models.Manifest
        rows = self._db.session.execute(
            sa.select(
                Manifest.media_type,
                Manifest.digest,
                Manifest.size,
                Manifest.artifact_type,
                Manifest.annotations,
            )
            .where(Manifest.id.in_(keys))
            .order_by(Manifest.digest)
        )
        return [_descriptor(*row) for row in rows]


def _fitting(found: Sequence[tuple[int, int]]) -> list[int]:
    """Return the keys of the manifests that fit into one answer, at least the first."""
    fitting: list[int] = []
    total = 0
    for key, size in found:
        # A descriptor is never longer than its manifest.
        total += size
        if fitting and total > MAX_PAGE_BYTES:
            break
        fitting.append(key)
    return fitting


def _descriptor(
    media_type: str,
    digest: str,
    size: int,
    artifact_type: str | None,
    annotations: dict[str, str] | None,
) -> dict[str, t.Any]:
    descriptor = {"mediaType": media_type, "digest": digest, "size": size}
    if artifact_type:
        descriptor["artifactType"] = artifact_type
    if annotations:
        descriptor["annotations"] = annotations
    return descriptor
