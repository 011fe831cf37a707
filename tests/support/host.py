"""A host application with users and a registry."""

from __future__ import annotations

import functools
import hmac
import os
import typing as t
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_login import LoginManager
from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci import Registry
from flask_oci import RepositoryInfo
from flask_oci.testing import MemoryBucket
from tests.support.quick_flask import QuickFlask

#: The database server to test on. Without it, each test has its own SQLite file.
DATABASE_URL = os.environ.get("TEST_DATABASE_URL")

#: The variable that is "memory" if the tests store blobs in a bucket in memory. It is
#: read when an application is created.
STORAGE = "TEST_STORAGE"

_buckets: dict[Path, MemoryBucket] = {}

#: The accounts and their passwords. Carol's account is not active.
PASSWORDS = {"alice": "wonderland", "bob": "builder", "carol": "singer"}
INACTIVE = frozenset({"carol"})

#: A name that is compared by its bytes; MariaDB ignores case by default.
BYTEWISE = sa.String(80).with_variant(
    mysql.VARCHAR(80, collation="utf8mb4_bin"), "mysql", "mariadb"
)

Authorize = t.Callable[[t.Any, str, RepositoryInfo], bool]


class Base(DeclarativeBase):
    pass


class Database(SQLAlchemy):
    """Flask-SQLAlchemy with one engine that all applications share.

    An engine compiles each statement once, which takes longer than the rest of a
    small test.
    """

    engines_made: t.ClassVar[dict[str, sa.Engine]] = {}

    def _make_engine(
        self, bind_key: str | None, options: dict[str, t.Any], app: Flask
    ) -> sa.Engine:
        key = repr(sorted(options.items()))
        engine = self.engines_made.get(key)
        if engine is None:
            engine = super()._make_engine(bind_key, options, app)
            if engine.dialect.name == "sqlite":
                sa.event.listen(engine, "connect", be_quick)
            self.metadata.create_all(engine)
            # A database in memory ends with its connection, which a test may close.
            if engine.url.database or engine.dialect.name != "sqlite":
                self.engines_made[key] = engine
        return engine


def be_quick(connection: t.Any, record: object) -> None:
    """Make SQLite's commits return before they are on the disk."""
    # No test cuts the power.
    connection.execute("PRAGMA synchronous = OFF")


db = Database(model_class=Base)
login_manager = LoginManager()


class User(UserMixin, db.Model):  # type: ignore[misc, name-defined]
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(BYTEWISE, unique=True)
    password: Mapped[str] = mapped_column(sa.String(80))
    is_active: Mapped[bool] = mapped_column()


registry = Registry(db, User)


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load(user_id: str) -> User | None:
    return db.session.get(User, int(user_id))


@registry.authenticate
def check(username: str, secret: str) -> User | None:
    user = db.session.scalar(sa.select(User).filter_by(username=username))
    right = user and hmac.compare_digest(user.password.encode(), secret.encode())
    return user if right else None


def create_app(folder: Path, **config: object) -> Flask:
    """Create an application with a registry, tables and accounts.

    :param folder: for the blobs, and the database if it is SQLite.
    :param config: the application's configuration.
    """
    app = QuickFlask("forge", instance_path=str(folder))
    app.config.from_mapping(
        SECRET_KEY="only for tests",
        SQLALCHEMY_DATABASE_URI=DATABASE_URL or f"sqlite:///{folder}/forge.sqlite",
        TESTING=True,
    )
    if os.environ.get(STORAGE) == "memory":
        app.config["OCI_STORAGE"] = bucket_of(folder)
    app.config.from_mapping(config)
    db.init_app(app)
    login_manager.init_app(app)
    app.register_blueprint(registry.blueprint)
    app.register_blueprint(registry.web_blueprint, url_prefix="/images")
    app.register_blueprint(registry.api_blueprint)
    create_accounts(app)
    return app


def bucket_of(folder: Path) -> MemoryBucket:
    """Return the bucket of the tests in a folder, which all its applications share."""
    return _buckets.setdefault(folder, MemoryBucket(part_size=256 * 1024))


def create_accounts(app: Flask) -> None:
    """Create the accounts, unless there are accounts already."""
    accounts = [
        {"username": name, "password": password, "is_active": name not in INACTIVE}
        for name, password in PASSWORDS.items()
    ]
    with app.app_context(), db.engine.begin() as connection:
        if not connection.scalar(sa.select(sa.func.count(User.id))):
            connection.execute(sa.insert(User), accounts)


class Administrator:
    """The operator of the host, who changes its database directly."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def publish(self, name: str, visibility: str = "public") -> None:
        """Change the visibility of a repository."""
        Repository = registry.models.Repository
        self._execute(
            sa.update(Repository)
            .where(Repository.name == name)
            .values(visibility=visibility)
        )

    def change_user(self, name: str, **values: object) -> None:
        """Change a user's account."""
        self._execute(sa.update(User).where(User.username == name).values(**values))

    def delete_user(self, name: str) -> None:
        """Delete a user's account, as the host's code does."""
        with self.app.app_context():
            db.session.delete(
                db.session.scalars(sa.select(User).filter_by(username=name)).one()
            )
            db.session.commit()

    def connections_in_use(self) -> int:
        """Return the number of database connections in use."""
        with self.app.app_context():
            pool = db.engine.pool
        assert isinstance(pool, sa.pool.QueuePool)
        return pool.checkedout()

    def start_afresh(self) -> None:
        """Empty every table, and create the accounts again."""
        self._delete_rows()
        create_accounts(self.app)

    def close(self, *, delete_rows: bool) -> None:
        """Close the connections to the database.

        :param delete_rows: whether to empty it first.
        """
        if delete_rows:
            self._delete_rows()
        with self.app.app_context():
            db.engine.dispose()

    def _delete_rows(self) -> None:
        # This is much faster than creating the tables again.
        with self.app.app_context(), db.engine.begin() as connection:
            for statement in deletions(connection.dialect):
                connection.exec_driver_sql(statement)

    def _execute(self, statement: sa.Update) -> None:
        with self.app.app_context():
            db.session.execute(statement)
            db.session.commit()


@functools.cache
def deletions(dialect: sa.Dialect) -> list[str]:
    """Return the statements that empty every table."""
    tables = reversed(db.metadata.sorted_tables)
    return [str(sa.delete(table).compile(dialect=dialect)) for table in tables]


def set_policy(authorize: Authorize | None) -> None:
    """Make the registry call this function, or its default policy for None.

    A host with its own policy allows robots everything, so that only their limits keep
    them in their paths.
    """
    if authorize is None:
        # No host removes its function, so there is no public way to.
        registry._hooks.authorize = registry._hooks.authorize_robot = None
    else:
        registry.authorize(authorize)
        registry.authorize_robot(lambda robot, action, repository: True)


def close_connections() -> None:
    """Close the connections to every database."""
    for engine in Database.engines_made.values():
        engine.dispose()


def empty_database(url: str) -> None:
    """Drop every table that an earlier run left on a database server."""
    engine = sa.create_engine(url)
    metadata = sa.MetaData()
    metadata.reflect(engine)
    metadata.drop_all(engine)
    engine.dispose()
