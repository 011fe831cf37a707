"""Findings about the database."""

from __future__ import annotations

import typing as t

from ...catalog import FAILURES
from ...spec.reference import is_name
from .finding import Finding
from .finding import kind

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .target import Target

#: How long a connection to SQLite should wait for another's transaction, in
#: milliseconds.
PATIENCE: t.Final = 1000

#: How many users are looked at.
SAMPLE: t.Final = 1000

_TUNED = """\
from sqlalchemy import event

def tune(connection, record):
    connection.executescript(
        \"\"\"
        PRAGMA busy_timeout = 10000;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA foreign_keys = ON;
        \"\"\"
    )

with app.app_context():
    event.listen(db.engine, "connect", tune)"""

DATABASE_SILENT = kind(
    "database-silent",
    "error",
    "The database does not answer.",
    "Every request of docker is answered 503, and it gives up after some.",
    python='SQLALCHEMY_DATABASE_URI = "postgresql+psycopg://forge@localhost/forge"',
)
TABLES_MISSING = kind(
    "tables-missing",
    "error",
    "The database lacks tables or columns of the registry.",
    "Every push and pull that needs them fails with 500. They are in the metadata of"
    " your db object, so whatever makes your own tables makes these.",
    command="flask db migrate && flask db upgrade",
    python="with app.app_context():\n    db.create_all()  # Without Flask-Migrate; new"
    " tables only.",
)
SQLITE_IN_MEMORY = kind(
    "sqlite-in-memory",
    "error",
    "The database is in memory.",
    "Each process, or each connection, has another one, and a restart forgets them all:"
    " docker pushes a layer and is told that it is unknown.",
    python='SQLALCHEMY_DATABASE_URI = "sqlite:///forge.db"',
)
SQLITE_NOT_WAL = kind(
    "sqlite-not-wal",
    "warning",
    "SQLite is not in WAL mode.",
    "Whoever writes waits for everybody who reads, and docker pushes several layers at"
    " once: under load, requests end in 503.",
    python=_TUNED,
)
SQLITE_IMPATIENT = kind(
    "sqlite-impatient",
    "warning",
    "Connections to SQLite hardly wait for each other.",
    "docker pushes several layers at once. Those that meet a busy database are answered"
    " 503.",
    python=_TUNED,
)
NOT_DURABLE = kind(
    "database-not-durable",
    "warning",
    "The database says that it has written what it has not.",
    "A push that docker was told has succeeded can be gone after a power cut. The page"
    " on durability has the setting of each database.",
    python=_TUNED,
)
WRONG_ISOLATION = kind(
    "database-isolation",
    "warning",
    "PostgreSQL's transactions read the past.",
    "With REPEATABLE READ, a transaction that has waited for a lock goes on to see what"
    " was there before it waited, so two pushes to one tag may undo each other.",
    python='SQLALCHEMY_ENGINE_OPTIONS = {"isolation_level": "READ COMMITTED"}',
)
WRONG_ENGINE = kind(
    "mariadb-engine",
    "error",
    "Tables of the registry are not InnoDB's.",
    "Without transactions, a push that breaks off leaves half an image.",
    command="mariadb forge -e 'ALTER TABLE oci_tag ENGINE = InnoDB'  # Each oci_"
    " table.",
)
NAMES_SHARED = kind(
    "names-shared",
    "warning",
    "Two users can have the same name.",
    "A user's name is the first part of their images' names, so whoever takes somebody"
    " else's can push there.",
    python="username: Mapped[str] = mapped_column(unique=True)",
)
NAMES_UNFIT = kind(
    "names-unfit",
    "note",
    "Some users have names that no image can have.",
    "The first part of an image's name is its owner's: lower-case letters and digits,"
    " with single '.', '_' or '-' between. These users cannot push to a name of their"
    " own. Name another attribute, or decide yourself who may push where.",
    python='registry = Registry(db, User, username="slug")',
)


def look(subject: Target) -> Iterator[Finding]:
    """Look at the database."""
    examination = subject.parts.catalog.database_settings
    try:
        if missing := subject.parts.catalog.schema.missing():
            yield TABLES_MISSING.found(f"There is no {', nor '.join(missing)}.")
        yield from _settings(examination.settings())
        if not examination.has_unique_names():
            yield NAMES_SHARED.found("The column of the users' names is not unique.")
        unfit = _unfit(subject)
    except FAILURES as error:
        yield DATABASE_SILENT.found(f"It says: {str(error).splitlines()[0]}")
        return
    if unfit:
        yield NAMES_UNFIT.found(f"{len(unfit)} users, such as {unfit[0]!r}.")


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
                yield NOT_DURABLE.found(f"PostgreSQL has {name} = off.")
        if settings["transaction_isolation"] == "repeatable read":
            yield WRONG_ISOLATION.found("Its isolation level is REPEATABLE READ.")
    elif dialect in ("mysql", "mariadb"):
        value = settings["innodb_flush_log_at_trx_commit"]
        if value != "1":
            yield NOT_DURABLE.found(
                f"innodb_flush_log_at_trx_commit is {value}, not 1."
            )
        if settings["engines"].lower() not in ("", "innodb"):
            yield WRONG_ENGINE.found(f"Their engines are {settings['engines']}.")


def _sqlite(settings: dict[str, str]) -> Iterator[Finding]:
    if not settings["file"]:
        yield SQLITE_IN_MEMORY.found("SQLite has no file.")
        return
    mode = settings["journal_mode"]
    if mode != "wal":
        yield SQLITE_NOT_WAL.found(f"Its journal mode is {mode}.")
    if int(settings["busy_timeout"]) < PATIENCE:
        wait = settings["busy_timeout"]
        yield SQLITE_IMPATIENT.found(f"They wait {wait} ms.")
    # NORMAL is as good as OFF for the last transactions, in WAL mode and out of it.
    if int(settings["synchronous"]) < 2:
        yield NOT_DURABLE.found("SQLite's synchronous is less than FULL.")


def _is_component(name: str) -> bool:
    return "/" not in name and is_name(name)
