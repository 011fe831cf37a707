"""The tables, created and changed by Flask-Migrate."""

from __future__ import annotations

import logging.config
import typing as t
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci import Registry
from tests.support.database_servers import SERVERS

from .application import database
from .application import StandardUser
from .docker import tell_story

pytestmark = pytest.mark.filterwarnings("ignore:'get_engine':DeprecationWarning")


class Migrated:
    """An application that has never called ``db.create_all()``.

    :param folder: for its blobs and its migrations.
    :param url: the URL of an empty database.
    :param metadata: the registry's metadata; None is the application's.
    :param options: more options of Flask-Migrate.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        metadata: sa.MetaData | None = None,
        **options: t.Any,
    ) -> None:
        db = self.db = database()

        class User(StandardUser, db.Model):
            pass

        self.User = User
        self.registry = Registry(db, User, metadata=metadata)
        self.registry.authenticate(self._check)
        self.app = Flask("forge", instance_path=str(folder))
        self.app.config.from_mapping(
            SECRET_KEY="only for tests", SQLALCHEMY_DATABASE_URI=url
        )
        db.init_app(self.app)
        self.registry.init_app(self.app)
        self.app.register_blueprint(self.registry.api_blueprint)
        self._folder = folder / "migrations"
        flask_migrate.Migrate(self.app, db, str(self._folder), **options)
        with self.app.app_context():
            flask_migrate.init()

    def migrate(self) -> str | None:
        """Run ``flask db migrate``, and return the migration that it writes, if any."""
        before = self._migrations()
        with self.app.app_context():
            flask_migrate.migrate()
        new = self._migrations() - before
        return new.pop().read_text("utf-8") if new else None

    def upgrade(self) -> None:
        """Run ``flask db upgrade``."""
        with self.app.app_context():
            flask_migrate.upgrade()

    def downgrade(self) -> None:
        """Undo every migration."""
        with self.app.app_context():
            flask_migrate.downgrade(revision="base")

    def add_users(self) -> None:
        """Create the accounts of alice and bob."""
        with self.app.app_context():
            for name, password in (("alice", "wonderland"), ("bob", "builder")):
                self.db.session.add(self.User(username=name, password=password))
            self.db.session.commit()

    def execute(self, statement: str) -> None:
        """Execute a statement directly in the database."""
        with self.app.app_context(), self.db.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def close(self) -> None:
        """Close the connections."""
        with self.app.app_context():
            self.db.engine.dispose()

    def _check(self, username: str, secret: str) -> t.Any:
        user = self.db.session.scalar(sa.select(self.User).filter_by(username=username))
        return user if user and user.password == secret else None

    def _migrations(self) -> set[Path]:
        return {*self._folder.glob("versions/*.py")}


@pytest.fixture(autouse=True)
def _leave_the_log_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Flask-Migrate's env.py disables all existing loggers.
    monkeypatch.setattr(logging.config, "fileConfig", lambda *args, **kwargs: None)


def check_migrations(folder: Path, url: str) -> None:
    """Check that Flask-Migrate creates the tables, and then finds no difference."""
    host = Migrated(folder, url)
    try:
        migration = host.migrate()
        assert migration is not None
        assert "flask_oci" not in migration
        host.upgrade()
        if not url.startswith("mariadb"):
            # MariaDB drops no index that a foreign key needs, and Alembic drops these
            # first.
            host.downgrade()
            host.upgrade()
        assert host.migrate() is None
        host.add_users()
        tell_story(host.app)
        host.execute("ALTER TABLE oci_repository DROP COLUMN description")
        host.execute("DROP TABLE oci_login_failure")
        migration = host.migrate()
        assert migration is not None
        assert "'description'" in migration
        assert "'oci_login_failure'" in migration
        host.upgrade()
        assert host.migrate() is None
        tell_story(host.app)
    finally:
        host.close()


@pytest.mark.shape("Flask-Migrate")
def test_migrations_on_sqlite_create_and_match_tables(tmp_path: Path) -> None:
    """A second migration finds nothing to do, one after an upgrade adds the new
    columns, and none imports the registry."""
    check_migrations(tmp_path, f"sqlite:///{tmp_path}/forge.sqlite")


def test_migrations_of_host_with_separate_metadata_keep_tables(tmp_path: Path) -> None:
    """With the documented function, no migration drops the registry's tables."""

    def include_name(name: str | None, type_: str, _parents: object) -> bool:
        return type_ != "table" or not (name or "").startswith("oci_")

    host = Migrated(
        tmp_path,
        f"sqlite:///{tmp_path}/forge.sqlite",
        sa.MetaData(),
        include_name=include_name,
    )
    try:
        migration = host.migrate()
        assert migration is not None
        assert "oci_" not in migration
        host.upgrade()
        with host.app.app_context():
            host.registry.create_tables()
        assert host.migrate() is None
        host.add_users()
        tell_story(host.app)
    finally:
        host.close()


@pytest.mark.real
@pytest.mark.shape("Flask-Migrate")
@pytest.mark.parametrize("server", SERVERS)
def test_migrations_on_database_server_create_and_match_tables(
    server: str, tmp_path: Path
) -> None:
    """The same checks on a database server, with its own types and names."""
    with SERVERS[server](durable=False) as url:
        check_migrations(tmp_path, url)
