"""The SQL statements that an engine executes."""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa

#: Statements that read no table: transactions, and the version of PostgreSQL.
OVERHEAD = ("BEGIN", "SAVEPOINT", "RELEASE", "SELECT pg_current_snapshot")


@contextlib.contextmanager
def collected(engine: sa.Engine | type[sa.Engine]) -> t.Iterator[list[str]]:
    """Collect the statements of an engine, or of all engines, within the block."""
    statements: list[str] = []

    def collect(*arguments: t.Any) -> None:
        if not arguments[2].startswith(OVERHEAD):
            statements.append(arguments[2])

    sa.event.listen(engine, "before_cursor_execute", collect)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", collect)


@contextlib.contextmanager
def counted_transactions(
    engine: sa.Engine | type[sa.Engine],
) -> t.Iterator[list[int]]:
    """Collect the number of statements of each transaction within the block."""
    counts = [0]

    def count(*_arguments: t.Any) -> None:
        counts[-1] += 1

    def end(_connection: t.Any) -> None:
        counts.append(0)

    listeners = {"before_cursor_execute": count, "commit": end, "rollback": end}
    for event, listener in listeners.items():
        sa.event.listen(engine, event, listener)
    try:
        yield counts
    finally:
        for event, listener in listeners.items():
            sa.event.remove(engine, event, listener)
