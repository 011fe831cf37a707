"""The copy of a database into an empty one, for example from SQLite to PostgreSQL.

The registry's rows refer to the host's users, so the tables of the host are copied too.
"""

from __future__ import annotations

import contextlib
import typing as t
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .copied_rows import continue_keys
from .copied_rows import CopyRefused
from .copied_rows import insert_rows
from .copied_rows import refusals

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from .database import Database

#: The table of Alembic, which has no model. Its row says which migrations are done.
MIGRATIONS: t.Final = "alembic_version"


@dataclass(frozen=True)
class CopyResult:
    """The extent of a copy."""

    tables: int
    rows: int
    left_out: list[str]
    """The tables of the database without a model, which were not copied."""

    has_storage: bool
    """Whether the database has a storage, which the copy may not change yet."""


class DatabaseCopy:
    """Copies the tables of the host's and of the registry's models."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def size(self) -> int:
        """Return the number of rows to copy."""
        with self._source() as source:
            counts = (
                sa.select(sa.func.count()).select_from(table).scalar_subquery()
                for table in self._tables(source)
            )
            return int(sum(source.execute(sa.select(*counts)).one()))

    def run(self, url: str, step: Callable[[int], object]) -> CopyResult:
        """Copy all rows, and commit them together.

        The new database gets another identity of the storage. The storage therefore
        belongs to one of the two databases only: a collection with the other one would
        delete blobs that it does not know.

        :param url: the URL of a database without tables, as SQLAlchemy takes it.
        :param step: called with the number of rows of each copied part.
        :raises CopyRefused: if the database has tables, cannot be reached, or refuses a
            row. It then has no tables.
        """
        try:
            engine = sa.create_engine(url, poolclass=sa.NullPool)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise CopyRefused(f"Invalid URL of a database: {error}") from error
        with self._source() as source:
            tables = self._tables(source)
            with refusals("The list of tables"):
                _check_empty(engine)
            names = set(sa.inspect(source).get_table_names())
            left_out = sorted(names - {table.name for table in tables})
            folders = self._db.models.StorageFolder.__table__
            rows, has_storage = _copy(source, engine, tables, folders, step)
        return CopyResult(len(tables), rows, left_out, has_storage)

    def _source(self) -> sa.Connection:
        """Return a connection whose transaction sees the rows of one moment."""
        # The transaction of this session would be the writer that the copy waits for.
        self._db.release()
        bind = self._db.session.get_bind(self._db.models.Repository)
        connection = bind.engine.connect()
        if connection.dialect.name == "sqlite":
            # Writers wait or fail. Otherwise, their rows would silently be lost.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return connection
        return connection.execution_options(isolation_level="REPEATABLE READ")

    def _tables(self, source: sa.Connection) -> list[sa.Table]:
        """Return the tables of the models, each after those that it refers to."""
        present = set(sa.inspect(source).get_table_names())
        found = list(self._models())
        if MIGRATIONS in present:
            found.append(sa.Table(MIGRATIONS, sa.MetaData(), autoload_with=source))
        return [table for table in found if table.schema or table.name in present]

    def _models(self) -> Iterator[sa.Table]:
        models = self._db.models
        key = models.user_key
        metadata = models.Repository.__table__.metadata
        users = key.table.metadata
        if users is not metadata:
            yield from users.sorted_tables
        yield from metadata.sorted_tables


def _check_empty(engine: sa.Engine) -> None:
    names = sa.inspect(engine).get_table_names()
    if names:
        shown = ", ".join(sorted(names)[:5])
        raise CopyRefused(
            f"The new database has tables already: {shown}. Create an empty database."
        )


def _copy(
    source: sa.Connection,
    engine: sa.Engine,
    tables: list[sa.Table],
    folders: sa.Table,
    step: Callable[[int], object],
) -> tuple[int, bool]:
    """Return the number of rows, and whether there is a storage.

    :param folders: the table with the identities of storages, which change.
    """
    rows, has_storage = 0, False
    try:
        with _begun(engine) as target:
            with refusals("The creation of tables"):
                for table in tables:
                    table.create(target)
            for table in tables:
                rows += insert_rows(source, target, table, step)
            if folders in tables:
                with refusals("The identity of the storage"):
                    changing = folders.update().values(identity=str(uuid.uuid4()))
                    has_storage = target.execute(changing).rowcount > 0
            continue_keys(source, target, tables)
    except BaseException:
        # MariaDB commits each CREATE TABLE.
        with contextlib.suppress(SQLAlchemyError), engine.begin() as target:
            for table in reversed(tables):
                table.drop(target, checkfirst=True)
        raise
    return rows, has_storage


@contextlib.contextmanager
def _begun(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Return a connection in a transaction, and commit it at the end."""
    with refusals("The connection"):
        connection = engine.connect()
        if engine.dialect.name == "sqlite":
            # Without this, it would commit each CREATE TABLE, too.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    with connection:
        yield connection
        with refusals("The commit"):
            connection.commit()
