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

DATABASE_UNREACHABLE = FindingType(
    "database-unreachable",
    "error",
    "The database does not respond.",
    "Every request is answered 503, and docker gives up after a few attempts.",
    {
        "python": (
            'SQLALCHEMY_DATABASE_URI = "postgresql+psycopg://forge@localhost/forge"'
        ),
    },
)

TABLES_MISSING = FindingType(
    "tables-missing",
    "error",
    "The database lacks tables or columns of the registry.",
    "Every push and pull that needs them is answered 503. Missing tables can be created"
    " by a command; missing columns need a migration, with Flask-Migrate or by hand.",
    {
        "command": (
            "flask oci tables --create  # Creates missing tables only.\n"
            "flask db migrate && flask db upgrade  # Instead, with Flask-Migrate."
        ),
        "python": "registry.create_tables()  # The same as the first command.",
    },
)

SQLITE_IN_MEMORY = FindingType(
    "sqlite-in-memory",
    "error",
    "The database is in memory.",
    "Each process or connection has its own database, and a restart loses all of them."
    " docker pushes a layer and then gets the error that the layer is unknown.",
    {"python": 'SQLALCHEMY_DATABASE_URI = "sqlite:///forge.db"'},
)

SQLITE_NOT_WAL = FindingType(
    "sqlite-not-wal",
    "warning",
    "SQLite is not in WAL mode.",
    "A writer waits for all readers, and docker pushes several layers at once. Under"
    " load, requests are answered 503.",
    {"python": _TUNED},
)

SQLITE_BUSY_TIMEOUT = FindingType(
    "sqlite-busy-timeout",
    "warning",
    "The busy timeout of SQLite is too short.",
    "docker pushes several layers at once. A request that meets a busy database is"
    " answered 503.",
    {"python": _TUNED},
)

NOT_DURABLE = FindingType(
    "database-not-durable",
    "warning",
    "The database acknowledges commits before they are on the disk.",
    "A push that was acknowledged to docker can be lost in a power failure. The page on"
    " durability has the setting of each database.",
    {
        "sqlite": _TUNED,
        "postgresql": (
            "ALTER SYSTEM SET fsync = on;\n"
            "ALTER SYSTEM SET synchronous_commit = on;\n"
            "SELECT pg_reload_conf();"
        ),
        "mariadb": (
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1;\n"
            "# And in the section [mysqld] of the configuration:\n"
            "# innodb_flush_log_at_trx_commit = 1"
        ),
    },
)

SQLITE_FOREIGN_KEYS = FindingType(
    "sqlite-foreign-keys",
    "warning",
    "SQLite does not enforce foreign keys.",
    "SQLite gives the key of a deleted user to a later one. If a user is deleted by an"
    " SQL statement, and not by db.session.delete(), the later user inherits the images"
    " and the access tokens.",
    {"python": _TUNED},
)

NO_PRE_PING = FindingType(
    "database-no-pre-ping",
    "warning",
    "Connections to the database are not tested before they are used.",
    "The database closes idle connections, and all of them when it restarts. The next"
    " request on each of them is answered 503.",
    {"python": 'SQLALCHEMY_ENGINE_OPTIONS = {"pool_pre_ping": True}'},
)

WRONG_ISOLATION = FindingType(
    "database-isolation",
    "warning",
    "PostgreSQL uses the isolation level REPEATABLE READ.",
    "A transaction that has waited for a lock still sees the data from before the wait,"
    " so two pushes to one tag can overwrite each other.",
    {"python": 'SQLALCHEMY_ENGINE_OPTIONS = {"isolation_level": "READ COMMITTED"}'},
)

WRONG_ENGINE = FindingType(
    "mariadb-engine",
    "error",
    "Tables of the registry do not use the InnoDB engine.",
    "Without transactions, an interrupted push leaves an incomplete image.",
    {
        "command": (
            "mariadb forge -e 'ALTER TABLE oci_tag ENGINE = InnoDB'  # Each oci_ table."
        ),
    },
)

USERNAMES_NOT_UNIQUE = FindingType(
    "usernames-not-unique",
    "warning",
    "Two users can have the same name.",
    "The name of a user is the first component of their image names. A user who takes"
    " the name of another user can push to that user's repositories.",
    {"python": "username: Mapped[str] = mapped_column(unique=True)"},
)

USERNAMES_INVALID = FindingType(
    "usernames-invalid",
    "note",
    "Some users have names that are not valid in an image name.",
    "The first component of an image name is its owner's name: lower-case letters and"
    " digits, separated by single '.', '_' or '-'. These users have no namespace to"
    " push to. Use another attribute for the name, or write an @registry.authorize"
    " function.",
    {"python": 'registry = Registry(db, User, username="slug")'},
)
