"""Schema check: whether the database has the tables of this version.

It runs only after a statement has failed, so that it costs nothing otherwise.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import SQLAlchemyError

from ..errors import SchemaOutdated
from .tables import Tables

if t.TYPE_CHECKING:
    from .database import Database
    from .tables import TableState

#: The exception for a missing table or column, in addition to those that are raised if
#: the database does not answer.
REFUSED: t.Final = ProgrammingError

#: The errors for a missing table or column: messages (SQLite), SQLSTATE (PostgreSQL)
#: and numbers (MySQL).
_MESSAGES: t.Final = ("no such table", "no such column", "has no column named")
_STATES: t.Final = frozenset({"42P01", "42703"})
_NUMBERS: t.Final = frozenset({1146, 1054})


class Schema:
    """Compares the database's tables with the models.

    :param database: the database to check, with its models.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def explain(self, error: Exception) -> SchemaOutdated | None:
        """Return the error to report if a statement failed because of missing tables or
        columns, or None.

        :param error: the exception that the statement raised.
        """
        if not isinstance(error, DBAPIError) or not _misses_something(error):
            return None
        self._db.session.rollback()
        try:
            missing = self.missing()
        except SQLAlchemyError:
            return None
        return SchemaOutdated(missing) if missing else None

    def touch(self) -> None:
        """Execute a statement on all tables that reads no rows.

        :raises SchemaOutdated: if a table is missing.
        """
        tables = self._db.models.tables()
        one = (
            sa.select(sa.literal(1)).select_from(t).where(sa.false()) for t in tables
        )
        try:
            self._db.session.execute(sa.union_all(*one)).all()
            self._db.release()
        except SQLAlchemyError as error:
            self._db.session.rollback()
            outdated = self.explain(error)
            if outdated is None:
                raise
            raise outdated from error

    def missing(self) -> list[str]:
        """Return the missing tables, the missing columns of the other tables, and the
        defaults of columns that the registry does not know, as ``oci_tag``,
        ``oci_tag.name`` or ``a default of oci_tag.name``."""
        states = Tables(self._db).states()
        lacking = ([s.name] if s.status == "missing" else _columns(s) for s in states)
        return [name for names in lacking for name in names]


def _columns(state: TableState) -> list[str]:
    return [
        *(f"{state.name}.{column}" for column in state.missing_columns),
        *(f"a default of {state.name}.{column}" for column in state.unknown_columns),
    ]


def _misses_something(error: DBAPIError) -> bool:
    original = error.orig
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    arguments = getattr(original, "args", ())
    return (
        state in _STATES
        or bool(arguments and arguments[0] in _NUMBERS)
        or any(message in str(original) for message in _MESSAGES)
    )
