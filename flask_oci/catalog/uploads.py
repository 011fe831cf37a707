"""Upload sessions: each belongs to one repository and one user."""

from __future__ import annotations

import re
import typing as t
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from ..digest import Digest
from ..errors import BlobUploadUnknown
from ..models import utcnow
from .blobs import Blobs
from .database import Database
from .repositories import Repositories

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UploadSession:
    """A session, and what is known of the bytes it has so far."""

    uuid: str
    repository_id: int
    algorithm: str
    """What its bytes are hashed with on the way in."""

    hashed_length: int
    """How many of its first bytes :attr:`hashed_digest` is of."""

    hashed_digest: Digest | None


class Uploads:
    """Starts, finds and ends upload sessions."""

    def __init__(
        self, database: Database, repositories: Repositories, blobs: Blobs
    ) -> None:
        self._db = database
        self._repositories = repositories
        self._blobs = blobs

    def start(self, name: str, user_id: t.Any, algorithm: str) -> UploadSession:
        """Begin a session, and the repository with it if there is none."""
        key = str(uuid.uuid4())

        def work() -> UploadSession:
            repository_id = self._repositories.ensure(name, user_id)
            self._db.session.execute(
                sa.insert(self._db.models.Upload.__table__).values(
                    uuid=key,
                    repository_id=repository_id,
                    user_id=user_id,
                    algorithm=algorithm,
                )
            )
            return UploadSession(key, repository_id, algorithm, 0, None)

        return self._db.write(work)

    def find(
        self, repository_id: int | None, key: str, user_id: t.Any
    ) -> UploadSession:
        """Return the session, if it is this user's in this repository.

        :raises BlobUploadUnknown: when there is none, and, told in the same
            words, when it is somebody else's.
        """
        if not _UUID.fullmatch(key):
            raise BlobUploadUnknown(detail=key)
        Upload = self._db.models.Upload
        row = self._db.session.execute(
            sa.select(
                Upload.uuid,
                Upload.repository_id,
                Upload.algorithm,
                Upload.hashed_length,
                Upload.hashed_digest,
            ).where(
                Upload.uuid == key,
                Upload.repository_id == repository_id,
                # An owner who is nobody compares with IS NULL.
                Upload.user_id.is_(None)
                if user_id is None
                else Upload.user_id == user_id,
            )
        ).first()
        if row is None:
            raise BlobUploadUnknown(detail=key)
        digest = Digest.parse(row.hashed_digest) if row.hashed_digest else None
        return UploadSession(*row[:4], hashed_digest=digest)

    def record(
        self, key: str, hashed_length: int, hashed_digest: Digest | None
    ) -> None:
        """Remember that a session goes on, and the digest of its first bytes."""
        Upload = self._db.models.Upload
        self._db.write(
            lambda: self._db.session.execute(
                sa.update(Upload.__table__)
                .where(Upload.uuid == key)
                .values(
                    hashed_length=hashed_length,
                    hashed_digest=str(hashed_digest) if hashed_digest else None,
                    touched_at=utcnow(),
                )
            )
        )

    def finish(self, session: UploadSession, digest: Digest, size: int) -> None:
        """End a session whose bytes have become a blob of its repository.

        :raises BlobUploadUnknown: when the repository has been deleted meanwhile.
        """

        def work() -> None:
            # A database without foreign keys may give its number to another one.
            if not self._db.lock_repository(session.repository_id):
                raise BlobUploadUnknown(detail=session.uuid)
            self._blobs.link(session.repository_id, digest, size)
            self._delete(session.uuid)

        self._db.write(work)

    def adopt(self, name: str, user_id: t.Any, digest: Digest, size: int) -> None:
        """Record a blob that a repository got without a session: in one request,
        or from another repository."""

        def work() -> None:
            repository_id = self._repositories.ensure(name, user_id)
            self._blobs.link(repository_id, digest, size)

        self._db.write(work)

    def cancel(self, session: UploadSession) -> None:
        """End a session without a blob."""
        self._db.write(lambda: self._delete(session.uuid))

    def _delete(self, key: str) -> None:
        Upload = self._db.models.Upload
        self._db.session.execute(sa.delete(Upload.__table__).where(Upload.uuid == key))
