"""Failures of the database, and those that another attempt can avoid."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import ObjectDeletedError

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


def is_worth_another_try(error: DBAPIError) -> bool:
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
