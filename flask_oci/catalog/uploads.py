"""Upload sessions, each of one user or robot in one repository."""

from __future__ import annotations

import re
import typing as t
import uuid
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa

from ..changes import BLOB_MOUNTED
from ..changes import BLOB_PUSHED
from ..changes import Change
from ..clock import utcnow
from ..errors import BlobUnknown
from ..errors import BlobUploadUnknown
from ..robot_key import robot_id
from ..robot_key import RobotKey
from ..robot_key import user_key
from ..storage.place import Place
from .blobs import Blobs
from .database import Condition
from .database import Database
from .dialects import MYSQL
from .quotas import Quotas
from .repositories import Repositories
from .repository_info import Pusher
from .repository_info import RepositoryInfo
from .repository_info import RepositoryRef

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An upload session. The storage has its bytes."""

    uuid: str
    repository: RepositoryInfo
    algorithm: str
    """The digest algorithm with which incoming bytes are hashed."""

    user_id: t.Any
    """The key of the user or robot that started it."""

    @property
    def repository_id(self) -> int:
        """The key of the repository, which exists."""
        return self.repository.key


class Uploads:
    """Starts, finds and ends upload sessions."""

    def __init__(
        self,
        database: Database,
        repositories: Repositories,
        blobs: Blobs,
        quotas: Quotas,
    ) -> None:
        self._db = database
        self._quotas = quotas
        self._repositories = repositories
        self._blobs = blobs

    def start_below(
        self,
        repository: RepositoryInfo,
        pusher: Pusher,
        algorithm: str,
        *,
        here: int,
        everywhere: int,
    ) -> UploadSession | None:
        """Start a session in an existing repository, if its user has few sessions.

        The statement that starts it counts the others, as :meth:`started_by` lists
        them. The other parameters are those of :meth:`start`.

        :param here: the number of sessions in the repository that are too many.
        :param everywhere: the number of all sessions that are too many.
        :return: None if there are too many sessions, or this statement cannot start
            one.
        """
        # On MySQL, statements that read the rows of a user and insert another one wait
        # for each other, and end in a deadlock.
        is_user = pusher.key is not None and not isinstance(pusher.key, RobotKey)
        is_possible = repository.exists and is_user
        if not is_possible or self._db.dialect in MYSQL:
            return None
        values = _values(repository, pusher, algorithm)
        limits = {"here": here, "everywhere": everywhere}
        if not self._db.execute_async_commit(self._starting_below, values | limits):
            return None
        return UploadSession(values["uuid"], repository, algorithm, pusher.key)

    def start(
        self, repository: RepositoryInfo, pusher: Pusher, algorithm: str
    ) -> UploadSession:
        """Start a session, and create the repository if it does not exist.

        A power cut may lose the session; the client then starts a new one.

        :param pusher: the user who pushes.
        :param algorithm: the digest algorithm with which incoming bytes are hashed.
        """
        values = _values(repository, pusher, algorithm)
        starting = self._starting if pusher.key is None else self._starting_of_user
        # A robot is checked in the transaction.
        has_to_write = repository.id is None or isinstance(pusher.key, RobotKey)
        if has_to_write or not self._db.execute_async_commit(starting, values):

            def work() -> RepositoryInfo:
                made = self._repositories.ensure(repository, pusher)
                self._db.execute(self._starting, {**values, "repository_id": made.id})
                return made

            repository = self._db.write(
                work,
                by=pusher.key,
                users=lambda: self._repositories.owners_of_new(repository),
            )
        return UploadSession(values["uuid"], repository, algorithm, pusher.key)

    def find(
        self, repository: RepositoryInfo, key: str, user_id: t.Any
    ) -> UploadSession:
        """Return a session of this user in this repository.

        :raises BlobUploadUnknown: if there is no such session. The error is the same
            for a session of another user.
        """
        if not _UUID.fullmatch(key):
            raise BlobUploadUnknown(detail=key)
        rows = self._db.reads.rows(
            self._finding,
            {
                "key": key,
                "repository_id": repository.id,
                "user_id": user_key(user_id),
                "robot_id": robot_id(user_id),
            },
        )
        if not rows:
            raise BlobUploadUnknown(detail=key)
        return UploadSession(rows[0][0], repository, rows[0][1], user_id)

    def started_by(self, user_id: t.Any) -> list[tuple[str, int]]:
        """Return the sessions of a user or robot, and the keys of their repositories,
        the oldest session first.

        :param user_id: the key of the user; None is all anonymous clients.
        """
        columns = self._db.models.Upload.__table__.c
        statement = (
            sa.select(columns.uuid, columns.repository_id)
            .where(
                columns.user_id == user_key(user_id),
                columns.robot_id == robot_id(user_id),
            )
            .order_by(columns.started_at, columns.uuid)
        )
        return [(row[0], row[1]) for row in self._db.execute(statement)]

    def of(self, repository_id: int) -> list[str]:
        """Return the sessions of a repository."""
        Upload = self._db.models.Upload
        return list(
            self._db.session.scalars(
                sa.select(Upload.uuid).where(Upload.repository_id == repository_id)
            )
        )

    def finish(
        self,
        session: UploadSession,
        pusher: Pusher,
        place: Place,
        kept: Place | None = None,
    ) -> None:
        """End a session and link its bytes to the repository as a blob.

        :param pusher: the user who pushes.
        :param place: where the bytes are stored.
        :param kept: where they are stored already, as for :meth:`Blobs.link`.
        :raises BlobUploadUnknown: if the repository has been deleted.
        :raises QuotaExceeded: if the blob would exceed a quota.
        """

        def work() -> None:
            # Its quotas may have changed since the upload started. A database without
            # foreign keys may also reuse the number of a deleted repository.
            repository = self._repositories.lock_for_push(session.repository, pusher)
            if repository is None:
                raise BlobUploadUnknown(detail=session.uuid)
            self._db.record_change(
                Change(
                    kind=BLOB_PUSHED,
                    repository=repository.name,
                    repository_id=session.repository_id,
                    digest=str(place.digest),
                    size=place.size,
                    by=session.user_id,
                )
            )
            with self._quotas.within(repository):
                self._blobs.link(repository, place, kept)
            self._repositories.list_with_blob(repository)
            self._delete(session.uuid)

        self._db.write(work, by=session.user_id)

    def record_blob(
        self,
        wanted: RepositoryRef,
        pusher: Pusher,
        place: Place,
        kept: Place | None = None,
        *,
        source: str | None = None,
    ) -> None:
        """Record a blob that was pushed in one request or mounted from another
        repository.

        :param pusher: the user who pushes.
        :param place: where the bytes are stored.
        :param kept: where they are stored already, as for :meth:`Blobs.link`.
        :param source: the name of the repository from which the blob is mounted.
        :raises BlobUnknown: if the blob to mount has been deleted.
        :raises QuotaExceeded: if the blob would exceed a quota.
        """

        def work() -> None:
            repository = self._repositories.ensure(wanted, pusher)
            repository_id = repository.key
            self._db.record_change(
                Change(
                    kind=BLOB_MOUNTED if source else BLOB_PUSHED,
                    repository=repository.name,
                    repository_id=repository_id,
                    digest=str(place.digest),
                    size=place.size,
                    source=source,
                    by=pusher.key,
                )
            )
            with self._quotas.within(repository):
                if source is None:
                    self._blobs.link(repository, place, kept)
                elif not self._blobs.link_known(repository, place.digest):
                    raise BlobUnknown(detail=str(place.digest))
            self._repositories.list_with_blob(repository)

        self._db.write(
            work,
            by=pusher.key,
            users=lambda: self._repositories.owners_of_new(wanted),
        )

    def cancel(self, *uuids: str) -> None:
        """End sessions without a blob."""

        def work() -> None:
            for key in uuids:
                self._delete(key)

        self._db.write(work)

    def _delete(self, key: str) -> None:
        self._db.execute(self._deleting, {"key": key})

    @cached_property
    def _starting(self) -> sa.Insert:
        return sa.insert(self._db.models.Upload.__table__)

    @cached_property
    def _starting_of_user(self) -> sa.Insert:
        """Insert a session, unless its user has been deleted. The row of the user is
        locked before that of the repository."""
        return self._inserting()

    @cached_property
    def _starting_below(self) -> sa.Insert:
        """Insert the same, unless the user has too many sessions."""
        columns = self._db.models.Upload.__table__.c
        own = sa.select(sa.func.count()).where(
            columns.user_id == sa.bindparam("user_id", type_=columns.user_id.type)
        )
        of_repository = columns.repository_id == sa.bindparam(
            "repository_id", type_=columns.repository_id.type
        )
        return self._inserting(
            own.scalar_subquery() < sa.bindparam("everywhere"),
            own.where(of_repository).scalar_subquery() < sa.bindparam("here"),
        )

    def _inserting(self, *conditions: Condition) -> sa.Insert:
        table = self._db.models.Upload.__table__
        names = (
            *("uuid", "repository_id", "user_id", "robot_id"),
            *("algorithm", "started_at"),
        )
        columns = [table.c[name] for name in names]
        key = self._db.models.user_key
        user: sa.BindParameter[t.Any] = sa.bindparam("user_id", type_=key.type)
        return sa.insert(table).from_select(
            columns,
            sa.select(*(sa.bindparam(c.name, type_=c.type) for c in columns))
            .where(key == user, *conditions)
            .with_for_update(read=True, key_share=True),
            include_defaults=False,
        )

    @cached_property
    def _finding(self) -> sa.Select[t.Any]:
        columns = self._db.models.Upload.__table__.c
        return sa.select(
            columns.uuid,
            columns.algorithm,
        ).where(
            columns.uuid == sa.bindparam("key"),
            columns.repository_id == sa.bindparam("repository_id"),
            # An anonymous upload has NULL here, and NULL = NULL is not true in SQL.
            columns.user_id.is_not_distinct_from(sa.bindparam("user_id")),
            columns.robot_id.is_not_distinct_from(sa.bindparam("robot_id")),
        )

    @cached_property
    def _deleting(self) -> sa.Delete:
        table = self._db.models.Upload.__table__
        return sa.delete(table).where(table.c.uuid == sa.bindparam("key"))


def _values(
    repository: RepositoryInfo, pusher: Pusher, algorithm: str
) -> dict[str, t.Any]:
    """Return the columns of a new session."""
    return {
        "uuid": str(uuid.uuid4()),
        "repository_id": repository.id,
        "user_id": user_key(pusher.key),
        "robot_id": robot_id(pusher.key),
        "algorithm": algorithm,
        "started_at": utcnow(),
    }
