"""Robots: accounts of a path or of a repository, for machines."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from functools import cached_property

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from ..errors import NameUnknown
from ..robot_key import RobotKey
from ..rules.paths import covers
from ..rules.paths import paths_of
from ..spec.scope import Action
from .credentials import Credential
from .credentials import values_of
from .database import Database
from .path_conditions import below
from .repository_info import namespace_of
from .repository_info import RepositoryInfo
from .robot_statements import delete_logins

if t.TYPE_CHECKING:
    from .database import Condition

#: The minimum time between two updates of a robot's last use.
TOUCHED_EVERY: t.Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Robot:
    """An account of a path or of one repository.

    A host's ``authorize_robot`` function receives it. It is not one of the host's
    users.
    """

    id: str
    """Its key, which is random and never used again."""

    login: str
    """Its name for ``docker login``, such as ``website+release``."""

    name: str
    """Its name within its path or repository, such as ``release``."""

    path: str | None
    """The path of its repositories, such as ``website`` for ``website/*``, or None if
    it belongs to one repository."""

    repository_id: int | None
    """The key of its repository, or None if it belongs to a path."""

    description: str
    actions: tuple[str, ...]
    """Some of ``pull``, ``push`` and ``delete``."""

    repositories: tuple[str, ...]
    """Patterns of the names of repositories."""

    changes_protected_tags: bool
    """Whether it may move and delete protected tags."""

    owner_key: str | None
    """The key, as text, of the user who owned its namespace or repository when it was
    created or taken over. None if no user did."""

    created_by: str | None
    created_at: datetime
    expires_at: datetime | None
    disabled_at: datetime | None
    disabled_by: str | None
    last_used_at: datetime | None

    @property
    def key(self) -> RobotKey:
        """The key by which changes name the robot."""
        return RobotKey(self.id, self.login)

    @property
    def namespace(self) -> str | None:
        """The first component of its path, or None if it belongs to a repository."""
        return None if self.path is None else namespace_of(self.path)

    @property
    def is_expired(self) -> bool:
        """Whether its expiry has passed."""
        return self.expires_at is not None and self.expires_at <= utcnow()

    @property
    def is_enabled(self) -> bool:
        """Whether it is neither disabled nor expired."""
        return self.disabled_at is None and not self.is_expired

    def reaches(self, repository: RepositoryInfo) -> bool:
        """Return True if a repository is the robot's own, or is in its path."""
        if self.path is None:
            return repository.exists and repository.id == self.repository_id
        return bool(self.path) and covers(self.path, repository.name)


class Robots:
    """Records, finds and changes robots."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self,
        robot: Robot,
        secret: tuple[Credential, str] | None = None,
        *,
        by: t.Any = None,
    ) -> bool:
        """Record a new robot, together with its first secret.

        :param secret: the credential, and the hash of its secret.
        :param by: the key of the user who creates it, or None.
        :return: False if there is a robot with this login name.
        :raises NameUnknown: if its repository has been deleted.
        """

        def work() -> bool:
            key = robot.repository_id
            if key is not None and self._db.lock_repository(key, changes=False) is None:
                raise NameUnknown(detail=robot.login)
            if self.by_login(robot.login) is not None:
                return False
            values = {field: getattr(robot, field) for field in _FIELDS}
            self._db.execute(sa.insert(self._table).values(**values))
            if secret is not None:
                table = self._db.models.Credential.__table__
                self._db.execute(sa.insert(table).values(values_of(*secret)))
            return True

        return self._db.write(work, by=by)

    def by_id(self, robot_id: str) -> Robot | None:
        """Return the robot with a key, or None."""
        rows = self._db.reads.rows(self._by_id, {"wanted": robot_id}, is_traced=True)
        return _robot(rows[0]) if rows else None

    def by_login(self, login: str) -> Robot | None:
        """Return the robot with a login name, or None."""
        row = self._db.execute(
            self._select().where(self._table.c.login == login)
        ).first()
        return None if row is None else _robot(row)

    def of_repository(self, repository_id: int) -> list[Robot]:
        """Return the robots of one repository, ordered by name."""
        return self._list(self._table.c.repository_id == repository_id)

    def of_path(self, path: str) -> list[Robot]:
        """Return the robots of a path and of the paths below it, ordered by name."""
        return self._list(below(self._table.c.path, path))

    def reaching(self, repository: RepositoryInfo) -> list[Robot]:
        """Return the robots whose path contains a repository, or whose own it is."""
        columns = self._table.c
        paths = [path for path in paths_of(repository.name) if path]
        return self._list(
            sa.or_(
                columns.path.in_(paths),
                sa.and_(
                    columns.repository_id.is_not(None),
                    columns.repository_id == (repository.id or 0),
                ),
            )
        )

    def page(self, limit: int, after: str = "") -> list[Robot]:
        """Return robots ordered by login name.

        :param limit: the maximum number of results.
        :param after: the login name of the last one of the previous page.
        """
        statement = (
            self._select()
            .where(self._table.c.login > after)
            .order_by(self._table.c.login)
            .limit(limit)
        )
        return [_robot(row) for row in self._db.execute(statement)]

    def change(self, robot_id: str, **values: t.Any) -> bool:
        """Set columns of a robot.

        :return: False if there is no such robot.
        """
        columns = self._table.c
        statement = sa.update(self._table).where(columns.id == robot_id)
        return bool(self._db.write(lambda: self._db.change(statement.values(**values))))

    def take_over(self, robot_id: str, owner_key: str | None) -> bool:
        """Enable a robot for another owner, and delete its publishers and secrets.

        :param owner_key: the key of the new owner, as text.
        :return: False if there is no such robot.
        """
        values = {"owner_key": owner_key, "disabled_at": None, "disabled_by": None}

        def work() -> bool:
            columns = self._table.c
            changed = self._db.change(
                sa.update(self._table).where(columns.id == robot_id).values(**values)
            )
            delete_logins(self._db, columns.id == robot_id)
            return bool(changed)

        return self._db.write(work)

    def delete(self, robot_id: str) -> bool:
        """Delete a robot with its publishers and secrets. Its images stay.

        :return: False if there is no such robot.
        """

        def work() -> bool:
            this = self._table.c.id == robot_id
            delete_logins(self._db, this)
            return bool(self._db.change(sa.delete(self._table).where(this)))

        return self._db.write(work)

    def touch(self, robot: Robot) -> None:
        """Record the current use of a robot."""
        now = utcnow()
        if robot.last_used_at and now - robot.last_used_at < TOUCHED_EVERY:
            return
        columns = self._table.c
        statement = sa.update(self._table).where(columns.id == robot.id)
        self._db.record(lambda: self._db.execute(statement.values(last_used_at=now)))

    def reach_of(self, robot: Robot) -> Condition:
        """Return the condition for the repositories that a robot may reach at most."""
        columns = self._db.models.Repository.__table__.c
        if robot.path is None:
            return columns.id == robot.repository_id
        return below(columns.name, robot.path)

    def _list(self, condition: Condition) -> list[Robot]:
        statement = self._select().where(condition).order_by(self._table.c.login)
        return [_robot(row) for row in self._db.execute(statement)]

    @property
    def _table(self) -> sa.Table:
        return self._db.models.Robot.__table__

    def _select(self) -> sa.Select[t.Any]:
        return sa.select(*(self._table.c[field] for field in _FIELDS))

    @cached_property
    def _by_id(self) -> sa.Select[t.Any]:
        return self._select().where(self._table.c.id == sa.bindparam("wanted"))


_FIELDS: t.Final = tuple(Robot.__dataclass_fields__)

#: The actions that a robot may be allowed.
ROBOT_ACTIONS: t.Final[tuple[Action, ...]] = ("pull", "push", "delete")


def _robot(row: t.Any) -> Robot:
    fields = row._asdict()
    for name, value in fields.items():
        if isinstance(value, datetime):
            fields[name] = as_utc(value)
        elif isinstance(value, list):
            fields[name] = tuple(value)
    return Robot(**fields)
