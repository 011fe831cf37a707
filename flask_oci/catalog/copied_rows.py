"""The rows of a table that are copied from one kind of database to another."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from datetime import datetime
from datetime import timezone

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..clock import as_utc
from .dialects import MYSQL

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

#: The number of rows in one statement. Manifests can have some MiB each.
BATCH: t.Final = 1000
LARGE_BATCH: t.Final = 20

Rows: t.TypeAlias = "Sequence[dict[str, t.Any]]"


class CopyRefused(RuntimeError):
    """The database cannot be copied; the message has the reason and the remedy."""


@contextmanager
def refusals(doing: str) -> Iterator[None]:
    """Turn errors of the new database into :class:`CopyRefused`.

    :param doing: the operation, for the message.
    """
    try:
        yield
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise CopyRefused(f"{doing} in the new database failed: {reason}") from error


def insert_rows(
    source: sa.Connection,
    target: sa.Connection,
    table: sa.Table,
    step: Callable[[int], object],
) -> int:
    """Copy the rows of a table, and return their number.

    :param step: called with the number of rows of each statement.
    """
    columns = [column for column in table.c if column.computed is None]
    later = [column for column in columns if _refers_to_itself(column)]
    is_large = any(isinstance(column.type, sa.LargeBinary) for column in columns)
    query = sa.select(*columns).order_by(*table.primary_key)
    query = query.execution_options(yield_per=LARGE_BATCH if is_large else BATCH)
    total = 0
    references: list[dict[str, t.Any]] = []
    for part in source.execute(query).partitions():
        rows = [
            {c.key: _in_utc(c, value) for c, value in zip(columns, row, strict=True)}
            for row in part
        ]
        references += _take_references(table, later, rows)
        with refusals(f"The insertion of rows of {table.fullname}"):
            target.execute(sa.insert(table), rows)
        total += len(rows)
        step(len(rows))
    if references:
        with refusals(f"The update of rows of {table.fullname}"):
            _set_references(target, table, later, references)
    return total


def continue_keys(
    source: sa.Connection, target: sa.Connection, tables: Sequence[sa.Table]
) -> None:
    """Let the target generate keys above those that the source has ever generated."""
    for table in tables:
        column = table.autoincrement_column
        last = None if column is None else _last_key(source, table, column)
        if column is None or not last:
            continue
        with refusals(f"The next key of {table.fullname}"):
            _continue_key(target, table, column, last)


def _continue_key(
    target: sa.Connection, table: sa.Table, column: sa.Column[t.Any], last: int
) -> None:
    name = target.dialect.identifier_preparer.format_table(table)
    if target.dialect.name == "postgresql":
        sequence = sa.func.pg_get_serial_sequence(name, column.name)
        target.execute(sa.select(sa.func.setval(sequence, last)))
    elif target.dialect.name in MYSQL:
        target.exec_driver_sql(f"ALTER TABLE {name} AUTO_INCREMENT = {last + 1}")


def _last_key(
    source: sa.Connection, table: sa.Table, column: sa.Column[t.Any]
) -> int | None:
    last: int | None = source.scalar(sa.select(sa.func.max(column)))
    if source.dialect.name != "sqlite" or not table.dialect_options["sqlite"].get(
        "autoincrement"
    ):
        return last
    # The key of a deleted row is not generated again.
    sequences = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
    query = sa.select(sequences.c.seq).where(sequences.c.name == table.name)
    return source.scalar(query) or last


def _in_utc(column: sa.Column[t.Any], value: t.Any) -> t.Any:
    """Return a time in UTC: SQLite and MariaDB do not store a time zone."""
    if isinstance(value, datetime) and getattr(column.type, "timezone", False):
        return as_utc(value).astimezone(timezone.utc)
    return value


def _refers_to_itself(column: sa.Column[t.Any]) -> bool:
    keys = column.foreign_keys
    return bool(column.nullable) and any(k.references(column.table) for k in keys)


def _take_references(
    table: sa.Table, later: Sequence[sa.Column[t.Any]], rows: Rows
) -> list[dict[str, t.Any]]:
    """Remove the references of rows to other rows of the table, and return them."""
    keys = [column.key for column in later]
    taken = []
    for row in rows:
        if any(row[key] is not None for key in keys):
            primary = {f"key_{c.key}": row[c.key] for c in table.primary_key}
            taken.append(primary | {f"new_{key}": row[key] for key in keys})
            row.update(dict.fromkeys(keys))
    return taken


def _set_references(
    target: sa.Connection,
    table: sa.Table,
    later: Sequence[sa.Column[t.Any]],
    references: Rows,
) -> None:
    same = (c == sa.bindparam(f"key_{c.key}") for c in table.primary_key)
    values: dict[str, t.Any] = {c.key: sa.bindparam(f"new_{c.key}") for c in later}
    target.execute(sa.update(table).where(*same).values(values), references)
