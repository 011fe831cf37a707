"""Inserts that tolerate concurrent inserts of the same row, in each SQL dialect."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite

from .dialects import MYSQL


@cache
def insert_if_absent(dialect: str, table: sa.Table) -> sa.Insert:
    """Return the insert that does nothing if there is a row with the same key."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    if dialect in MYSQL:
        key = next(iter(table.primary_key))
        return mysql.insert(table).on_duplicate_key_update({key.name: key})
    return sqlite.insert(table).on_conflict_do_nothing()


@cache
def upsert(
    dialect: str, table: sa.Table, key: tuple[str, ...], changed: tuple[str, ...]
) -> sa.Insert:
    """Return the insert that updates the row with the same key.

    :param key: the names of the columns of the key.
    :param changed: the names of the columns to update.
    """
    if dialect in MYSQL:
        mine = mysql.insert(table)
        return mine.on_duplicate_key_update({c: mine.inserted[c] for c in changed})
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    new = insert(table)
    return new.on_conflict_do_update(
        index_elements=key, set_={c: new.excluded[c] for c in changed}
    )


@cache
def increment(
    dialect: str, table: sa.Table, key: tuple[str, ...], column: str
) -> sa.Insert:
    """Return the insert that adds to a column of the row with the same key.

    :param key: the names of the columns of the key.
    :param column: the name of the column to add to.
    """
    if dialect in MYSQL:
        mine = mysql.insert(table)
        total = table.c[column] + mine.inserted[column]
        return mine.on_duplicate_key_update({column: total})
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    new = insert(table)
    return new.on_conflict_do_update(
        index_elements=key, set_={column: table.c[column] + new.excluded[column]}
    )
