"""User queries on the host's user table."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import object_session

from ..clock import utcnow
from ..robot_key import RobotKey
from .database import Database
from .path_conditions import below
from .repository_statements import locking_repositories
from .revocations import Revocations
from .robots import Robot
from .user_statements import forgetting_webhooks
from .user_statements import locking_users

if t.TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: How many users are read at a time.
BATCH_SIZE: t.Final = 500

#: The key in ``session.info`` of the transaction that locked users for a deletion, and
#: of the keys of these users.
_LOCKED: t.Final = "oci_locked_users"
#: The errors of functions that load a user by an identifier, if there is no such user,
#: or if the identifier has another form.
NO_SUCH_USER: t.Final = (LookupError, ValueError, sa.exc.NoResultFound)


@dataclass(frozen=True)
class UserColumn:
    """A column of the host's user model."""

    attribute: str
    names: frozenset[str]
    """The names of the attribute and of the column."""

    type: type[t.Any]
    """The Python type of its values; object if it is unknown."""

    is_nullable: bool


class Users:
    """Reads the host's user table. It never writes to it.

    :param database: the database, whose models have the table.
    :param revocations: where the tokens of a deleted user are revoked.
    :param username: the attribute of a user that names the user's namespace.
    """

    def __init__(
        self, database: Database, revocations: Revocations, username: str
    ) -> None:
        self._db = database
        self._revocations = revocations
        self.model = self._model = database.models.User
        self._username = username
        if username not in sa.inspect(self._model).all_orm_descriptors:
            raise TypeError(
                f"{self._model.__name__} has no attribute {username!r}, which names a"
                " user's repositories. Pass the name of an existing attribute, for"
                " example Registry(db, User, username='login')."
            )
        # A host may have subclasses of its user class.
        sa.event.listen(self._model, "before_delete", self._forget, propagate=True)
        mapper = sa.inspect(self._model)
        (self._column,) = mapper.primary_key
        self._key = mapper.get_property_by_column(self._column).key

    def key_of(self, user: t.Any) -> t.Any:
        """Return the primary key of a user, the key of a robot, or None for an
        anonymous client."""
        if isinstance(user, Robot):
            return user.key
        return None if user is None else getattr(user, self._key)

    def namespace_of(self, user: t.Any) -> str:
        """Return the first component of the names of a user's repositories."""
        return str(getattr(user, self._username))

    def name_of(self, user: t.Any) -> str | None:
        """Return the name of a user, the login name of a robot, or None for an
        anonymous client."""
        if isinstance(user, Robot):
            return user.login
        return None if user is None else self.namespace_of(user)

    def is_deleted(self, user: t.Any) -> bool:
        """Return True if the row of a loaded user has been deleted."""
        is_user = user is not None and not isinstance(user, Robot)
        identity = sa.inspect(user).identity if is_user else None
        if identity is None:
            return False
        found = self._db.execute(
            sa.select(self._column).where(self._column == identity[0])
        )
        return found.first() is None

    def names(self, keys: Iterable[t.Any]) -> dict[t.Any, str]:
        """Return the names of some users and robots, by key. The name of a robot is
        followed by a remark, because a user may have the same name."""
        wanted = {key for key in keys if key is not None}
        robots = {key for key in wanted if isinstance(key, RobotKey)}
        found = {key: f"{key.login} (robot)" for key in robots}
        wanted -= robots
        if not wanted:
            return found
        name = getattr(self._model, self._username)
        rows = self._db.session.execute(
            sa.select(self._column, name).where(self._column.in_(wanted))
        )
        return found | {key: str(name) for key, name in rows}

    def by_name(self, name: str) -> t.Any:
        """Return the user with a name, or None."""
        users = self._db.session.scalars(
            sa.select(self._model).where(getattr(self._model, self._username) == name)
        )
        return next((u for u in users.unique() if self.namespace_of(u) == name), None)

    def each(self) -> Iterator[t.Any]:
        """Yield all users ordered by key, read a batch at a time."""
        statement = sa.select(self._model).order_by(self._column).limit(BATCH_SIZE)
        batch = list(self._db.session.scalars(statement).unique())
        while batch:
            last = self.key_of(batch[-1])
            yield from batch
            self._db.release()
            after = statement.where(self._column > last)
            batch = list(self._db.session.scalars(after).unique())

    def columns(self) -> Iterator[UserColumn]:
        """Yield the columns of the user model. All mapped classes must be defined."""
        for attribute in sa.inspect(self._model).column_attrs:
            column = attribute.columns[0]
            if isinstance(column, sa.Column):
                yield UserColumn(
                    attribute.key,
                    frozenset({attribute.key, column.name}),
                    _python_type(column),
                    bool(column.nullable),
                )

    def first(self) -> t.Any:
        """Return the user with the lowest key, or None if there are no users."""
        statement = sa.select(self._model).order_by(self._column).limit(1)
        return next(iter(self._db.session.scalars(statement).unique()), None)

    def count(self) -> int:
        """Return the number of users."""
        counting = sa.select(sa.func.count()).select_from(self._model)
        return self._db.session.scalar(counting) or 0

    def owner_of_namespace(self, namespace: str) -> t.Any:
        """Return the key of the user whose name is the namespace, or None."""
        name = getattr(self._model, self._username)
        rows = self._db.session.execute(
            sa.select(self._column, name).where(name == namespace)
        )
        # The collation of a host's database may make "Álice" equal to "alice".
        return next((key for key, found in rows if str(found) == namespace), None)

    def find(self, key: str) -> t.Any:
        """Return the user with a key, or None.

        :param key: the key as a string.
        """
        try:
            return self._db.session.get(self._model, self._column.type.python_type(key))
        except (OverflowError, ValueError):
            return None

    def _forget(self, _mapper: t.Any, connection: sa.Connection, user: t.Any) -> None:
        """Delete or detach the records of a deleted user, so that a later user with the
        same key does not inherit them.

        The foreign keys do the same, but SQLite enforces them only if the host enables
        them per connection, and it reuses keys.
        """
        models, key = self._db.models, self.key_of(user)
        self._lock_deleted(connection, user)
        rules = models.Rule.__table__
        own = sa.or_(rules.c.owner_id == key, rules.c.path_owner_id == key)
        connection.execute(sa.delete(rules).where(own))
        signers = models.TrustedSigner.__table__
        connection.execute(sa.delete(signers).where(signers.c.path_owner_id == key))
        # A later user with the same name must not publish images unawares.
        path = below(rules.c.path, self.namespace_of(user))
        connection.execute(sa.delete(rules).where(rules.c.kind == "visibility", path))
        for table, column in (
            (models.Repository.__table__, "owner_id"),
            (models.Manifest.__table__, "pushed_by_id"),
            (models.TagMove.__table__, "moved_by_id"),
            (models.DeletedManifest.__table__, "deleted_by_id"),
        ):
            values: dict[str, t.Any] = {column: None}
            if column == "owner_id":
                # The collection then counts the repositories without an owner again.
                values["collect_at"] = None
            connection.execute(
                sa.update(table).where(table.c[column] == key).values(values)
            )
        self._disable_robots(connection, key)
        usage = models.OwnerUsage.__table__
        connection.execute(sa.delete(usage).where(usage.c.owner_id == key))
        for table in (models.Upload.__table__, models.Credential.__table__):
            connection.execute(sa.delete(table).where(table.c.user_id == key))
        for subject in self._subjects(user):
            for statement in self._revocations.statements(subject):
                connection.execute(statement)
        for statement in forgetting_webhooks(models, key):
            connection.execute(statement)

    def _disable_robots(self, connection: sa.Connection, key: t.Any) -> None:
        """Disable the robots of a deleted user's namespace and repositories.

        They are not deleted: their history tells the next owner what ran there.
        """
        robots = self._db.models.Robot.__table__
        connection.execute(
            sa.update(robots)
            .where(robots.c.owner_key == str(key))
            # A later user with the same key must take them over, too.
            .values(disabled_at=utcnow(), disabled_by=None, owner_key="")
        )

    def _lock_deleted(self, connection: sa.Connection, user: t.Any) -> None:
        """Lock the users that a flush deletes, and every repository with rows that
        refer to them.

        The deletion is the transaction of the host, which does not repeat it after a
        deadlock. It therefore takes its locks in the order of all other transactions.
        """
        session = t.cast("Session", object_session(user))
        transaction, keys = session.info.get(_LOCKED, (None, set()))
        if transaction is connection.get_transaction() and self.key_of(user) in keys:
            return
        deleted = (found for found in session.deleted if isinstance(found, self._model))
        keys = {self.key_of(found) for found in deleted} | {self.key_of(user)}
        session.info[_LOCKED] = connection.get_transaction(), keys
        models, values = self._db.models, {"keys": list(keys)}
        connection.execute(locking_users(models).with_for_update(), values)
        key = models.Repository.__table__.c.id
        referring = [
            sa.select(table.c.repository_id).where(table.c[column].in_(keys))
            for table, column in (
                (models.Manifest.__table__, "pushed_by_id"),
                (models.TagMove.__table__, "moved_by_id"),
                (models.DeletedManifest.__table__, "deleted_by_id"),
                (models.Upload.__table__, "user_id"),
            )
        ]
        owned = models.Repository.__table__.c.owner_id.in_(keys)
        condition = sa.or_(owned, key.in_(sa.union(*referring)))
        connection.execute(locking_repositories(models, condition))

    def _subjects(self, user: t.Any) -> set[str]:
        """Return the identifiers that tokens of a user may contain: the primary key,
        or the identifier of Flask-Login."""
        subjects = {str(self.key_of(user))}
        if hasattr(user, "get_id"):
            subjects.add(str(user.get_id()))
        return subjects


def _python_type(column: sa.Column[t.Any]) -> type[t.Any]:
    try:
        return column.type.python_type
    except NotImplementedError:
        return object
