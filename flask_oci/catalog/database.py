"""Transactions with retries, and locks of users and repositories."""

from __future__ import annotations

import logging
import typing as t
from functools import cached_property
from itertools import product

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.selectable import GenerativeSelect

from ..errors import UserDeleted
from ..robot_key import RobotKey
from ..robot_key import user_key
from . import async_commit
from . import outbox
from . import totals
from .change_observer import NullObserver
from .dialects import MYSQL
from .host_session import current_session
from .read_cache import CachedReads
from .retries import FAILURES
from .retries import retried
from .robot_statements import check_robot
from .statements import Statements
from .user_statements import lock_users
from .user_statements import locking_users
from .user_statements import locking_users_with_login

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable

    from sqlalchemy.orm import scoped_session

    from ..changes import Change
    from .change_observer import Observer
    from .models import Models
    from .user_statements import Login

logger = logging.getLogger("flask_oci.database")

T = t.TypeVar("T")
#: A condition on rows, as for WHERE.
Condition: t.TypeAlias = "sa.ColumnElement[bool]"

SelectT = t.TypeVar("SelectT", bound=GenerativeSelect)

#: The key in ``session.info`` of the changes that the transaction makes.
_CHANGES: t.Final = "oci_changes"

#: The key in ``session.info`` of what the transaction adds to the totals.
_TOTALS: t.Final = "oci_totals"


class Database(Statements):
    """Transactions in the host's session, and locks of rows.

    :param session: the host's session; each application context has its own.
    :param models: the tables.
    """

    def __init__(self, session: scoped_session[t.Any], models: Models) -> None:
        super().__init__(session, models)
        self.observer: Observer = NullObserver()
        self.login: Callable[[], Login | None] = lambda: None
        """Returns the login of the current request, or None if there is none."""
        self.reads = CachedReads(session, sa.inspect(models.Repository))
        """Reads that execute no statement as long as nothing is committed."""
        self._is_recording = True

    def release(self) -> None:
        """Commit the transaction and return the connection to the pool.

        The commit keeps changes that the host made in the session. Call this before
        transferring a body, because a slow client must not hold a connection.
        """
        try:
            self.session.commit()
        except BaseException:
            # Without this, SQLAlchemy would return the connection in the middle of a
            # transaction, and its next user would read outdated rows.
            self.session.rollback()
            raise

    def rollback(self) -> None:
        """Roll back the transaction, also after a failure."""
        self.session.rollback()

    def write(
        self,
        work: Callable[[], T],
        *,
        by: t.Any = None,
        users: Callable[[], Iterable[t.Any]] = tuple,
        exclusive: bool = False,
    ) -> T:
        """Run ``work`` in a transaction of its own, and commit it.

        The rows of the users are locked first. docs/design.md, "Order of locks", has
        the order in which ``work`` locks other rows.

        After a deadlock, a busy database file or a concurrent insert of the same row,
        ``work`` runs again from the start. It must therefore read all data that it
        depends on.

        :param work: a function that makes its changes through :attr:`session`.
        :param by: the key of the user or robot that makes the change, or None.
        :param users: returns the keys of other users that the new rows refer to.
        :param exclusive: whether to lock the users against every other lock.
        :return: the result of ``work``.
        :raises UserDeleted: if the user who makes the change has been deleted, or the
            credentials of the current request were revoked.
        """

        def attempt() -> tuple[T, list[Change]]:
            self._begin()
            changes: list[Change] = []
            self.session.info[_CHANGES] = changes
            self.session.info[_TOTALS] = totals.Totals()
            user_id = user_key(by)
            found = self.lock_users(
                [user_id, *users()], by=user_id, exclusive=exclusive
            )
            if user_id is not None and user_id not in found:
                raise UserDeleted
            if isinstance(by, RobotKey):
                check_robot(self, by)
            result = work()
            outbox.keep(self, changes)
            totals.keep(self, self.session.info[_TOTALS])
            self.session.commit()
            return result, changes

        self.release()
        with self.reads.suspended():
            result, changes = retried(attempt, self.rollback)
        self.observer.after(changes)
        return result

    def record(self, work: Callable[[], object]) -> bool:
        """Run ``work`` as :meth:`write` does, for a row that only records a use.

        If the database refuses the write, for example because its disk is full, the
        request goes on without it. The log has the first failure of a series.

        :return: False if the database refused the write.
        """
        try:
            self.write(work)
        except FAILURES as error:
            self.note_unrecorded(error)
            return False
        self._is_recording = True
        return True

    def note_unrecorded(self, error: Exception) -> None:
        """Log that the database refused to record a use, once until it works again."""
        self.session.rollback()
        if self._is_recording:
            self._is_recording = False
            logger.error(
                "The database does not record uses of content and tokens. Requests that"
                " only read continue.",
                exc_info=error,
            )

    def execute_async_commit(
        self, statement: sa.Executable, values: dict[str, t.Any]
    ) -> bool:
        """Execute a statement in a transaction of its own, which a power cut may undo.

        :return: False if the statement changes no row, refers to a row that does not
            exist, or has to be part of a larger transaction.
        """
        if current_session(self.session).in_transaction():
            self.release()
        engine = self.session.get_bind(self.models.Repository)
        if not isinstance(engine, sa.Engine):
            # The host's sessions share one connection, as is usual in tests.
            return False

        def attempt() -> bool:
            try:
                return async_commit.commit(engine, statement, values) > 0
            except IntegrityError:
                return False

        return retried(attempt, self.rollback)

    def record_change(self, change: Change, *, ask: bool = True) -> Change:
        """Record a change of the current transaction, before the transaction makes it.

        After the commit, the change is in the outbox and the observer receives it.

        :param ask: whether the observer may refuse the change.
        :raises Denied: if the observer refuses the change.
        """
        if ask:
            self.ask(change)
        else:
            change.origin = self.observer.origin(change.by)
        self.session.info[_CHANGES].append(change)
        return change

    def ask(self, change: Change) -> None:
        """Ask the observer whether a change may be made.

        :raises Denied: if the observer refuses the change.
        """
        change.origin = self.observer.origin(change.by)
        self.observer.before(change)

    def record_if_observed(self, change: Change, *, soft: bool = False) -> None:
        """Report an event that changes nothing, such as a pull, if it is persisted or
        has listeners.

        :param soft: whether to go on if the database refuses the event.
        """
        if self.observer.is_persisted(change.kind):
            write = self.record if soft else self.write
            write(lambda: self.record_change(change, ask=False))
        elif self.observer.has_listeners(change.kind):
            change.origin = self.observer.origin(change.by)
            self.observer.after([change])

    def add_to_totals(
        self, *, repositories: int = 0, blobs: int = 0, bytes: int = 0
    ) -> None:
        """Add to the totals of the site, within a transaction of :meth:`write`.

        :param bytes: the size of the blobs.
        """
        info = self.session.info
        info[_TOTALS] = info[_TOTALS].plus(totals.Totals(repositories, blobs, bytes))

    def lock_users(
        self, keys: Iterable[t.Any], *, by: t.Any = None, exclusive: bool = False
    ) -> set[t.Any]:
        """Lock the rows of users against deletion until the transaction ends.

        :param keys: the keys of the users; None is ignored.
        :param by: the key of the user who makes the change. The result does not
            contain it if the credentials of the current request were revoked.
        :param exclusive: whether to lock them against every other lock.
        :return: the keys of the users that exist.
        """
        wanted = {key for key in keys if key is not None}
        if not wanted:
            return set()
        values: dict[str, t.Any] = {"keys": list(wanted)}
        statement = self._locking_users[exclusive]
        login = None if by is None else self.login()
        if login is not None:
            statement = self._locking_users_with_login[
                exclusive, bool(login.credentials)
            ]
            values |= {"by": by, **login.values()}
        return set(self.execute(statement, values).scalars())

    def lock_repository(
        self, repository_id: int, *, changes: bool = True
    ) -> str | None:
        """Lock a repository until the transaction ends, so that no other transaction
        changes its contents.

        :param changes: whether the transaction may make content unneeded. The next
            collection then visits the repository.
        :return: its name, or None if it has been deleted.
        """
        row = self.execute(self._locking, {"key": repository_id}).first()
        if row is None:
            return None
        if changes and not row.is_marked:
            self.mark_repository(repository_id)
        return t.cast(str, row.name)

    def mark_repository(self, repository_id: int) -> None:
        """Have the next collection visit a repository that the transaction has locked.

        A repository that is marked needs no statement for this. So at most one change
        between two collections pays for it.
        """
        self.execute(self._marking, {"key": repository_id})

    @cached_property
    def _locking_users(self) -> dict[bool, sa.Select[t.Any]]:
        statement = locking_users(self.models)
        return {kind: lock_users(statement, exclusive=kind) for kind in (False, True)}

    @cached_property
    def _locking_users_with_login(self) -> dict[tuple[bool, bool], sa.Select[t.Any]]:
        return {
            (exclusive, has_credential): lock_users(
                locking_users_with_login(self.models, has_credential=has_credential),
                exclusive=exclusive,
            )
            for exclusive, has_credential in product((False, True), repeat=2)
        }

    @cached_property
    def _locking(self) -> sa.Select[t.Any]:
        columns = self.models.Repository.__table__.c
        return (
            sa.select(columns.name, columns.collect_at.is_(None).label("is_marked"))
            .where(columns.id == sa.bindparam("key"))
            .with_for_update()
        )

    @cached_property
    def _marking(self) -> sa.Update:
        table = self.models.Repository.__table__
        marking = sa.update(table).where(table.c.id == sa.bindparam("key"))
        return marking.values(collect_at=None)

    def _begin(self) -> None:
        """Begin a transaction that reads current rows.

        By default, a MySQL transaction reads rows as of its first read, even after it
        has waited for a lock. SQLite refuses, without waiting, a transaction that
        reads first and writes later if another connection wrote in between.
        """
        mapper = {"mapper": self.models.Repository}
        if self.dialect in MYSQL:
            self.session.connection(
                mapper, execution_options={"isolation_level": "READ COMMITTED"}
            )
        if self.dialect != "sqlite":
            return
        connection = self.session.connection(mapper)
        driver = connection.connection.dbapi_connection
        if driver is not None and not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def newest(statement: SelectT) -> SelectT:
    """Return the statement so that it reads rows as committed now, not as of the start
    of the transaction.

    A MySQL transaction can otherwise not see the row that made
    :meth:`Database.insert_if_absent` insert nothing.
    """
    return statement.with_for_update(read=True)
