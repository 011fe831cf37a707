"""Failures of the database, and further attempts after those that they can avoid."""

from __future__ import annotations

import random
import time
import typing as t
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import ObjectDeletedError

T = t.TypeVar("T")

#: The exceptions that are raised if the database does not answer in time, or refuses to
#: write.
FAILURES: t.Final = (
    OperationalError,
    InterfaceError,
    # PostgreSQL raises this one for a write in a read-only transaction.
    sa.exc.InternalError,
    sa.exc.TimeoutError,
)

#: The exception that is raised if the row of a loaded object has been deleted.
GONE: t.Final = ObjectDeletedError

_SERIALIZATION_FAILURES: t.Final = frozenset({"40001", "40P01"})
_MYSQL_RETRIES: t.Final = frozenset({1020, 1205, 1213})


#: The maximum number of attempts to commit a transaction.
ATTEMPTS: t.Final = 8

#: The maximum wait before the first retry, in seconds. It doubles each time.
FIRST_WAIT: t.Final = 0.01


def retried(attempt: Callable[[], T], rollback: Callable[[], object]) -> T:
    """Call a function again after errors that a retry can fix, up to :data:`ATTEMPTS`
    times.

    :param rollback: ends the transaction of a failed attempt.
    :return: the result of the function.
    """
    for number in range(ATTEMPTS):
        try:
            return attempt()
        except DBAPIError as error:
            rollback()
            if number == ATTEMPTS - 1 or not _is_worth_another_try(error):
                raise
            # The wait is random, so that concurrent transactions do not collide again.
            time.sleep(random.uniform(0, FIRST_WAIT * 2**number))  # noqa: S311
        except BaseException:
            rollback()
            raise
    raise AssertionError("the last attempt returns or raises")


def end_transaction(connection: sa.Connection) -> None:
    """Roll back after a failure.

    After a failed commit, SQLAlchemy considers the transaction closed, but the database
    may still have it open, with its locks. A connection that is lost cannot roll back,
    and its pool must not keep it.
    """
    if connection.invalidated:
        return
    try:
        connection.connection.rollback()
    except Exception:
        connection.invalidate()


def _is_worth_another_try(error: DBAPIError) -> bool:
    """Return True for a deadlock, a busy database or a concurrent insert."""
    original = error.orig
    if isinstance(error, IntegrityError):
        return True
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if state in _SERIALIZATION_FAILURES:
        return True
    arguments = getattr(original, "args", ())
    if arguments and arguments[0] in _MYSQL_RETRIES:
        return True
    return "database is locked" in str(original)
