"""Statements in the host's session, and inserts that tolerate concurrent inserts."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from . import insert_statements

if t.TYPE_CHECKING:
    from sqlalchemy.orm import scoped_session
    from typing_extensions import Unpack

    from .models import Models

#: The result of a statement.
Rows: t.TypeAlias = "sa.CursorResult[Unpack[tuple[t.Any, ...]]]"


class Statements:
    """Executes statements on the registry's tables, in the host's session.

    :param session: the host's session; each application context has its own.
    :param models: the tables.
    """

    def __init__(self, session: scoped_session[t.Any], models: Models) -> None:
        self.session = session
        self.models = models

    @property
    def dialect(self) -> str:
        """The name of the database's SQL dialect."""
        return self.session.get_bind(self.models.Repository).dialect.name

    @property
    def can_return_changes(self) -> bool:
        """Whether an ``UPDATE`` can return the rows that it changes."""
        engine = self.session.get_bind(self.models.Repository)
        return bool(engine.dialect.update_returning)

    def execute(self, statement: sa.Executable, values: t.Any = None) -> Rows:
        """Execute a statement on columns, in the session's transaction.

        Executing it through the session takes 50 % longer, because the session also
        looks after objects.

        :param values: the values of the statement's parameters. A list executes the
            statement once for each item.
        """
        connection = self.session.connection({"mapper": self.models.Repository})
        return connection.execute(statement, values)

    def change(self, statement: sa.Executable, values: t.Any = None) -> int:
        """Execute a statement as :meth:`execute` does.

        :return: the number of rows changed or deleted.
        """
        return int(t.cast(t.Any, self.execute(statement, values)).rowcount)

    def insert_if_absent(self, model: type[t.Any], **values: t.Any) -> None:
        """Insert a row, unless there is a row with the same key."""
        self.insert_all_if_absent(model, [values])

    def insert_all_if_absent(
        self, model: type[t.Any], rows: list[dict[str, t.Any]]
    ) -> None:
        """Insert rows that have the same columns, except those whose key exists."""
        self.execute(
            insert_statements.insert_if_absent(self.dialect, model.__table__), rows
        )

    def upsert(
        self, model: type[t.Any], key: dict[str, t.Any], **values: t.Any
    ) -> None:
        """Insert a row, or update the row with the same key.

        :param key: the columns of the key, with their values.
        :param values: the columns to set or update.
        """
        statement = insert_statements.upsert(
            self.dialect, model.__table__, tuple(key), tuple(values)
        )
        self.execute(statement, {**key, **values})
