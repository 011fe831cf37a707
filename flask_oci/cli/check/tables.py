"""Findings about the database."""

from __future__ import annotations

import typing as t

from ...catalog import FAILURES
from ...spec.reference import is_name
from .finding import Finding
from .findings import tables as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .target import Target

#: How long a connection to SQLite should wait for another's transaction, in
#: milliseconds.
PATIENCE: t.Final = 1000

#: How many users are looked at.
SAMPLE: t.Final = 1000


def look(subject: Target) -> Iterator[Finding]:
    """Look at the database."""
    examination = subject.parts.catalog.database_settings
    try:
        if missing := subject.parts.catalog.schema.missing():
            yield findings.TABLES_MISSING.found(
                f"There is no {', nor '.join(missing)}."
            )
        yield from _settings(examination.settings())
        if not examination.has_unique_names():
            yield findings.NAMES_SHARED.found(
                "The column of the users' names is not unique."
            )
        unfit = _unfit(subject)
    except FAILURES as error:
        yield findings.DATABASE_SILENT.found(f"It says: {str(error).splitlines()[0]}")
        return
    if unfit:
        yield findings.NAMES_UNFIT.found(f"{len(unfit)} users, such as {unfit[0]!r}.")


def _unfit(subject: Target) -> list[str]:
    """Return the names of users who cannot push to a name of their own, where that is
    what users do."""
    parts = subject.parts
    if parts.hooks.authorize is not None:
        return []
    names = parts.catalog.database_settings.names(SAMPLE)
    return [name for name in names if not _is_component(name)]


def _settings(settings: dict[str, str]) -> Iterator[Finding]:
    dialect = settings["dialect"]
    if dialect == "sqlite":
        yield from _sqlite(settings)
    elif dialect == "postgresql":
        for name in ("fsync", "synchronous_commit"):
            if settings[name] == "off":
                yield findings.NOT_DURABLE.found(f"PostgreSQL has {name} = off.")
        if settings["transaction_isolation"] == "repeatable read":
            yield findings.WRONG_ISOLATION.found(
                "Its isolation level is REPEATABLE READ."
            )
    elif dialect in ("mysql", "mariadb"):
        value = settings["innodb_flush_log_at_trx_commit"]
        if value != "1":
            yield findings.NOT_DURABLE.found(
                f"innodb_flush_log_at_trx_commit is {value}, not 1."
            )
        if settings["engines"].lower() not in ("", "innodb"):
            yield findings.WRONG_ENGINE.found(
                f"Their engines are {settings['engines']}."
            )


def _sqlite(settings: dict[str, str]) -> Iterator[Finding]:
    if not settings["file"]:
        yield findings.SQLITE_IN_MEMORY.found("SQLite has no file.")
        return
    mode = settings["journal_mode"]
    if mode != "wal":
        yield findings.SQLITE_NOT_WAL.found(f"Its journal mode is {mode}.")
    if int(settings["busy_timeout"]) < PATIENCE:
        wait = settings["busy_timeout"]
        yield findings.SQLITE_IMPATIENT.found(f"They wait {wait} ms.")
    # NORMAL is as good as OFF for the last transactions, in WAL mode and out of it.
    if int(settings["synchronous"]) < 2:
        yield findings.NOT_DURABLE.found("SQLite's synchronous is less than FULL.")


def _is_component(name: str) -> bool:
    return "/" not in name and is_name(name)
