"""Checks of the database."""

from __future__ import annotations

import typing as t

from ...catalog import FAILURES
from ...catalog.dialects import MYSQL
from ...spec.reference import is_name
from .finding import Finding
from .findings import tables as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .target import Target

#: The shortest accepted busy timeout of SQLite, in milliseconds.
MIN_BUSY_TIMEOUT: t.Final = 1000

#: The number of users whose names are checked.
SAMPLE: t.Final = 1000


def check(target: Target) -> Iterator[Finding]:
    """Check the tables, the settings of the database and the names of the users."""
    settings = target.parts.catalog.database_settings
    try:
        if missing := target.parts.catalog.schema.missing():
            yield findings.TABLES_MISSING.found(f"Missing: {', '.join(missing)}.")
        yield from _settings(settings.settings())
        if not settings.has_unique_names():
            yield findings.USERNAMES_NOT_UNIQUE.found(
                "The column of the user names is not unique."
            )
        invalid = _invalid(target)
    except FAILURES as error:
        yield findings.DATABASE_UNREACHABLE.found(
            f"The error is: {str(error).splitlines()[0]}"
        )
        return
    if invalid:
        yield findings.USERNAMES_INVALID.found(
            f"{len(invalid)} users, such as {invalid[0]!r}."
        )


def _invalid(target: Target) -> list[str]:
    """Return user names that are no valid namespace, unless the host decides itself."""
    parts = target.parts
    if parts.hooks.authorize is not None:
        return []
    names = parts.catalog.database_settings.names(SAMPLE)
    return [name for name in names if not _is_component(name)]


def _settings(settings: dict[str, str]) -> Iterator[Finding]:
    dialect = settings["dialect"]
    if dialect != "sqlite" and settings["pool_pre_ping"] == "off":
        yield findings.NO_PRE_PING.found("pool_pre_ping is not set.")
    if dialect == "sqlite":
        yield from _sqlite(settings)
    elif dialect == "postgresql":
        for name in ("fsync", "synchronous_commit"):
            if settings[name] == "off":
                yield findings.NOT_DURABLE.found(
                    f"PostgreSQL has {name} = off.", "postgresql"
                )
        if settings["transaction_isolation"] == "repeatable read":
            yield findings.WRONG_ISOLATION.found(
                "Its isolation level is REPEATABLE READ."
            )
    elif dialect in MYSQL:
        value = settings["innodb_flush_log_at_trx_commit"]
        if value != "1":
            yield findings.NOT_DURABLE.found(
                f"innodb_flush_log_at_trx_commit is {value}, not 1.", "mariadb"
            )
        if settings["engines"].lower() not in ("", "innodb"):
            yield findings.WRONG_ENGINE.found(
                f"Their engines are {settings['engines']}."
            )


def _sqlite(settings: dict[str, str]) -> Iterator[Finding]:
    if not settings["file"]:
        yield findings.SQLITE_IN_MEMORY.found("The SQLite URI names no file.")
        return
    mode = settings["journal_mode"]
    if mode != "wal":
        yield findings.SQLITE_NOT_WAL.found(f"Its journal mode is {mode}.")
    if int(settings["busy_timeout"]) < MIN_BUSY_TIMEOUT:
        wait = settings["busy_timeout"]
        yield findings.SQLITE_BUSY_TIMEOUT.found(f"busy_timeout is {wait} ms.")
    # With NORMAL as with OFF, a power failure can lose the last transactions, in any
    # journal mode.
    if int(settings["synchronous"]) < 2:
        yield findings.NOT_DURABLE.found(
            "The synchronous setting of SQLite is lower than FULL.", "sqlite"
        )
    if settings["foreign_keys"] == "0":
        yield findings.SQLITE_FOREIGN_KEYS.found("foreign_keys is off.")


def _is_component(name: str) -> bool:
    return "/" not in name and is_name(name)
