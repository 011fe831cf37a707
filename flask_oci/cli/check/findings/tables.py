"""Findings about the database."""

from __future__ import annotations

from ..finding import FindingType

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

DATABASE_SILENT = FindingType(
    "database-silent",
    "error",
    "The database does not answer.",
    "Every request of docker is answered 503, and it gives up after some.",
    {
        "python": 'SQLALCHEMY_DATABASE_URI = "postgresql+psycopg://forge@localhost/forge"',
    },
)

TABLES_MISSING = FindingType(
    "tables-missing",
    "error",
    "The database lacks tables or columns of the registry.",
    "Every push and pull that needs them fails with 500. They are in the metadata of"
    " your db object, so whatever makes your own tables makes these.",
    {
        "command": "flask db migrate && flask db upgrade",
        "python": "with app.app_context():\n    db.create_all()  # Without Flask-Migrate; new"
        " tables only.",
    },
)

SQLITE_IN_MEMORY = FindingType(
    "sqlite-in-memory",
    "error",
    "The database is in memory.",
    "Each process, or each connection, has another one, and a restart forgets them all:"
    " docker pushes a layer and is told that it is unknown.",
    {
        "python": 'SQLALCHEMY_DATABASE_URI = "sqlite:///forge.db"',
    },
)

SQLITE_NOT_WAL = FindingType(
    "sqlite-not-wal",
    "warning",
    "SQLite is not in WAL mode.",
    "Whoever writes waits for everybody who reads, and docker pushes several layers at"
    " once: under load, requests end in 503.",
    {
        "python": _TUNED,
    },
)

SQLITE_IMPATIENT = FindingType(
    "sqlite-impatient",
    "warning",
    "Connections to SQLite hardly wait for each other.",
    "docker pushes several layers at once. Those that meet a busy database are answered"
    " 503.",
    {
        "python": _TUNED,
    },
)

NOT_DURABLE = FindingType(
    "database-not-durable",
    "warning",
    "The database says that it has written what it has not.",
    "A push that docker was told has succeeded can be gone after a power cut. The page"
    " on durability has the setting of each database.",
    {
        "python": _TUNED,
    },
)

WRONG_ISOLATION = FindingType(
    "database-isolation",
    "warning",
    "PostgreSQL's transactions read the past.",
    "With REPEATABLE READ, a transaction that has waited for a lock goes on to see what"
    " was there before it waited, so two pushes to one tag may undo each other.",
    {
        "python": 'SQLALCHEMY_ENGINE_OPTIONS = {"isolation_level": "READ COMMITTED"}',
    },
)

WRONG_ENGINE = FindingType(
    "mariadb-engine",
    "error",
    "Tables of the registry are not InnoDB's.",
    "Without transactions, a push that breaks off leaves half an image.",
    {
        "command": "mariadb forge -e 'ALTER TABLE oci_tag ENGINE = InnoDB'  # Each oci_"
        " table.",
    },
)

NAMES_SHARED = FindingType(
    "names-shared",
    "warning",
    "Two users can have the same name.",
    "A user's name is the first part of their images' names, so whoever takes somebody"
    " else's can push there.",
    {
        "python": "username: Mapped[str] = mapped_column(unique=True)",
    },
)

NAMES_UNFIT = FindingType(
    "names-unfit",
    "note",
    "Some users have names that no image can have.",
    "The first part of an image's name is its owner's: lower-case letters and digits,"
    " with single '.', '_' or '-' between. These users cannot push to a name of their"
    " own. Name another attribute, or decide yourself who may push where.",
    {
        "python": 'registry = Registry(db, User, username="slug")',
    },
)
