"""Content by the first digits of its digest, as users type it."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..spec.digest import ALGORITHMS
from .database import Condition
from .database import Database


class DigestPrefixes:
    """Finds the digests that begin with some digits."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def manifests(
        self, repository_id: int, algorithm: str | None, digits: str, limit: int
    ) -> list[str]:
        """Return the digests of a repository's manifests, in order.

        :param algorithm: a key of :data:`~flask_oci.spec.digest.ALGORITHMS`; None is
            any.
        :param digits: the first hexadecimal digits.
        :param limit: the largest number of results.
        """
        Manifest = self._db.models.Manifest
        statement = sa.select(Manifest.digest).where(
            Manifest.repository_id == repository_id,
            _begins(Manifest.digest, algorithm, digits),
        )
        return self._run(statement.order_by(Manifest.digest).limit(limit))

    def content(self, algorithm: str | None, digits: str, limit: int) -> list[str]:
        """Return the digests of blobs and of all repositories' manifests, in order.

        The parameters are those of :meth:`manifests`.
        """
        Blob, Manifest = self._db.models.Blob, self._db.models.Manifest
        statement = sa.union(
            *(
                sa.select(column).where(_begins(column, algorithm, digits))
                for column in (Blob.digest, Manifest.digest)
            )
        )
        return self._run(statement.order_by("digest").limit(limit))

    def _run(self, statement: t.Any) -> list[str]:
        return list(self._db.session.scalars(statement))


def _begins(column: t.Any, algorithm: str | None, digits: str) -> Condition:
    algorithms = [algorithm] if algorithm else ALGORITHMS
    return sa.or_(*(column.startswith(f"{name}:{digits}") for name in algorithms))
