"""Settings of the host's database, such as its durability."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .database import Database
from .dialects import MYSQL

_POSTGRESQL = ("fsync", "synchronous_commit", "transaction_isolation")
_MYSQL = ("innodb_flush_log_at_trx_commit", "log_bin", "binlog_format")


class DatabaseSettings:
    """Reads the settings of the database. It writes nothing.

    :param username: the attribute of a user that names the user's namespace.
    """

    def __init__(self, database: Database, username: str) -> None:
        self._db = database
        self._username = username

    def settings(self) -> dict[str, str]:
        """Return the database's settings by name, including its ``dialect``."""
        dialect = self._engine.dialect.name
        settings = {"dialect": dialect, "pool_pre_ping": self._pre_ping()}
        if dialect == "sqlite":
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys"):
                settings[name] = str(self._ask(f"PRAGMA {name}"))
            rows = self._db.session.execute(sa.text("PRAGMA database_list"))
            settings["file"] = next(row[2] for row in rows if row[1] == "main")
        elif dialect == "postgresql":
            settings |= {n: str(self._ask(f"SHOW {n}")) for n in _POSTGRESQL}
        elif dialect in MYSQL:
            settings |= {n: str(self._ask(f"SELECT @@{n}")) for n in _MYSQL}
            settings["engines"] = " ".join(sorted(self._engines()))
        self._db.release()
        return settings

    def names(self, limit: int) -> list[str]:
        """Return the names of some users.

        :param limit: the maximum number of names.
        """
        name = getattr(self._db.models.User, self._username)
        found = self._db.session.scalars(sa.select(name).limit(limit))
        names = [str(name) for name in found]
        self._db.release()
        return names

    def has_unique_names(self) -> bool:
        """Return True if the database enforces unique user names, or if that cannot be
        determined."""
        attribute = sa.inspect(self._db.models.User).all_orm_descriptors[self._username]
        columns = getattr(getattr(attribute, "property", None), "columns", None)
        if not columns:
            # The attribute is computed, so its uniqueness cannot be determined.
            return True
        (column, *_) = columns
        if column.unique or column.primary_key:
            return True
        unique = [
            *(i for i in column.table.indexes if i.unique),
            *(
                constraint
                for constraint in column.table.constraints
                if isinstance(constraint, sa.UniqueConstraint)
            ),
        ]
        return any(
            len(rule.columns) <= 1 and (not rule.columns or column.name in rule.columns)
            for rule in unique
        )

    @property
    def _engine(self) -> sa.Engine:
        bind = self._db.session.get_bind(self._db.models.Repository)
        return t.cast(sa.Engine, getattr(bind, "engine", bind))

    def _pre_ping(self) -> str:
        """Return ``off`` if the pool keeps connections and does not test them."""
        pool = self._engine.pool
        keeps = isinstance(pool, sa.pool.QueuePool)
        return "off" if keeps and not getattr(pool, "_pre_ping", True) else "on"

    def _ask(self, statement: str) -> t.Any:
        return self._db.session.scalar(
            sa.text(statement), bind_arguments={"mapper": self._db.models.Repository}
        )

    def _engines(self) -> set[str]:
        names = [table.name for table in self._db.models.tables()]
        rows = self._db.session.scalars(
            sa.text(
                "SELECT DISTINCT engine FROM information_schema.tables"
                " WHERE table_schema = DATABASE() AND table_name IN :names"
            ).bindparams(sa.bindparam("names", names, expanding=True))
        )
        return {str(engine) for engine in rows}
