"""The SQL statements that an engine executes."""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa


@contextlib.contextmanager
def collected(engine: sa.Engine | type[sa.Engine]) -> t.Iterator[list[str]]:
    """Collect the statements of an engine, or of all engines, within the block."""
    statements: list[str] = []

    def collect(*arguments: t.Any) -> None:
        statements.append(arguments[2])

    sa.event.listen(engine, "before_cursor_execute", collect)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", collect)
