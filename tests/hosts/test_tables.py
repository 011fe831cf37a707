"""The registry's tables: their creation, and metadata of their own."""

from __future__ import annotations

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_login import LoginManager

from flask_oci import Registry
from tests.support.database_servers import SERVERS

from .application import database
from .application import StandardUser
from .docker import tell_story

#: The number of processes that create the tables at once.
PROCESSES = 6


class BareHost:
    """An application that creates its own tables only.

    :param folder: for its blobs.
    :param url: the URL of its database.
    :param metadata: the registry's metadata; None is that of the user model.
    :param host: the application's metadata.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        metadata: sa.MetaData | None = None,
        host: sa.MetaData | None = None,
    ) -> None:
        db = self.db = database(host)

        class User(StandardUser, db.Model):
            pass

        self.User = User
        # Without this, User.metadata would get the registry's tables later.
        self.own_tables = [User.__table__]
        self.registry = Registry(db, User, metadata=metadata)
        self.registry.authenticate(self._check)
        self.app = Flask("forge", instance_path=str(folder))
        self.app.config.from_mapping(
            SECRET_KEY="only for tests", SQLALCHEMY_DATABASE_URI=url
        )
        db.init_app(self.app)
        LoginManager(self.app).user_loader(lambda key: db.session.get(User, int(key)))
        self.registry.init_app(self.app)
        self.app.register_blueprint(self.registry.api_blueprint)

    def create_own_tables(self) -> None:
        """Create the user table and its accounts."""
        with self.app.app_context():
            self.db.metadata.create_all(self.db.engine, tables=self.own_tables)
            for name, password in (("alice", "wonderland"), ("bob", "builder")):
                self.db.session.add(self.User(username=name, password=password))
            self.db.session.commit()

    def create_tables(self) -> list[str]:
        """Create the registry's tables by the public method."""
        with self.app.app_context():
            return self.registry.create_tables()

    def run(self, *words: str) -> t.Any:
        """Run a command of ``flask oci``."""
        return self.app.test_cli_runner().invoke(args=["oci", *words])

    def tables(self) -> set[str]:
        """Return the names of all tables in the database."""
        with self.app.app_context():
            return {*sa.inspect(self.db.engine).get_table_names()}

    def execute(self, *statements: str) -> None:
        """Execute statements directly in the database."""
        with self.app.app_context(), self.db.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def close(self) -> None:
        """Close the connections."""
        with self.app.app_context():
            for engine in self.db.engines.values():
                engine.dispose()

    def _check(self, username: str, secret: str) -> t.Any:
        user = self.db.session.scalar(sa.select(self.User).filter_by(username=username))
        return user if user and user.password == secret else None


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> t.Iterator[BareHost]:
    host = BareHost(tmp_path, f"sqlite:///{tmp_path}/forge.sqlite")
    yield host
    host.close()


@pytest.fixture(name="separate")
def _separate(tmp_path: Path) -> t.Iterator[BareHost]:
    """A host whose registry has metadata of its own."""
    url = f"sqlite:///{tmp_path}/forge.sqlite"
    host = BareHost(tmp_path, url, sa.MetaData())
    yield host
    host.close()


def test_create_tables_creates_only_those_of_the_registry(host: BareHost) -> None:
    """The names of the created tables are returned; a second call creates none."""
    host.create_own_tables()
    created = host.create_tables()
    assert {*created} == host.tables() - {"user"}
    assert all(name.startswith("oci_") for name in created)
    assert host.create_tables() == []
    tell_story(host.app)


def test_create_tables_does_not_call_listeners_of_host_metadata(host: BareHost) -> None:
    """A listener of the host's metadata may create types or other tables."""
    calls: list[object] = []
    sa.event.listen(
        host.db.metadata, "before_create", lambda *_, **__: calls.append(None)
    )
    host.create_own_tables()
    before = len(calls)
    host.create_tables()
    assert len(calls) == before


def test_create_tables_keeps_existing_tables(host: BareHost) -> None:
    """Missing tables are created next to those of an earlier version."""
    host.create_own_tables()
    host.create_tables()
    tell_story(host.app)
    host.execute("DROP TABLE oci_login_failure")
    assert host.create_tables() == ["oci_login_failure"]
    with host.app.app_context():
        assert host.registry.repositories.find("alice/app").exists


def test_create_tables_beside_table_of_another_shape_is_refused(host: BareHost) -> None:
    """The message names the columns and the documentation; no table is created."""
    host.create_own_tables()
    host.execute("CREATE TABLE oci_tag (id INTEGER PRIMARY KEY, name TEXT)")
    before = host.tables()
    with pytest.raises(RuntimeError, match=r"oci_tag\.manifest_id.*Upgrading"):
        host.create_tables()
    assert host.tables() == before
    result = host.run("tables", "--create")
    assert (result.exit_code, host.tables()) == (1, before)
    assert "oci_tag.manifest_id" in result.stderr
    assert "Upgrading" in result.stderr


def test_table_with_columns_that_need_a_value_is_found(host: BareHost) -> None:
    """A table of another application or version may have all columns that the registry
    needs, and still accept no row. Other columns do no harm."""
    host.create_own_tables()
    host.create_tables()
    host.execute(
        "ALTER TABLE oci_tag ADD COLUMN note TEXT",
        "ALTER TABLE oci_tag ADD COLUMN kind TEXT NOT NULL DEFAULT 'x'",
    )
    assert host.run("tables").exit_code == 0
    host.execute(
        "DROP TABLE oci_storage",
        "CREATE TABLE oci_storage (id INTEGER PRIMARY KEY, identity TEXT NOT NULL,"
        " adopted_at DATETIME NOT NULL, region TEXT NOT NULL)",
        "DROP TABLE oci_delivery_attempt",
    )
    result = host.run("tables", "--create")
    assert result.exit_code == 1
    assert "oci_storage.region" in result.output
    assert "oci_delivery_attempt" not in host.tables()
    rows = [line.split() for line in host.run("tables").stdout.splitlines()]
    assert ["oci_storage", "outdated", "-", "region"] in rows
    checked = host.run("check")
    assert "a default of oci_storage.region" in checked.output


def test_create_tables_without_user_table_is_refused(host: BareHost) -> None:
    """SQLite would accept a foreign key to a table that does not exist."""
    with pytest.raises(RuntimeError, match=r"no table 'user'.* your application first"):
        host.create_tables()
    assert host.tables() == set()


def test_tables_command_lists_states_and_creates_tables(host: BareHost) -> None:
    """A table is present, missing or outdated."""
    host.create_own_tables()
    result = host.run("tables", "--json")
    states = {table["name"]: table for table in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert {table["status"] for table in states.values()} == {"missing"}
    result = host.run("tables", "--create")
    assert (result.exit_code, result.stdout) == (0, f"Created {len(states)} tables.\n")
    assert host.run("tables").exit_code == 0
    host.execute(
        "ALTER TABLE oci_blob DROP COLUMN created_at", "DROP TABLE oci_login_failure"
    )
    result = host.run("tables")
    assert result.exit_code == 1
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["oci_blob", "outdated", "created_at", "-"] in rows
    assert ["oci_login_failure", "missing", "-", "-"] in rows
    assert ["oci_tag", "present", "-", "-"] in rows


def test_create_tables_within_host_transaction_does_not_wait(host: BareHost) -> None:
    """The changes of the host's session are committed first."""
    host.create_own_tables()
    with host.app.app_context():
        host.db.session.add(host.User(username="carol", password="singer"))
        host.db.session.flush()
        assert host.registry.create_tables()
        host.db.session.rollback()
        users = sa.select(sa.func.count()).select_from(host.User)
        assert host.db.session.scalar(users) == 3


@pytest.mark.shape("A comparison of its metadata with its database")
def test_separate_metadata_leaves_host_metadata_unchanged(separate: BareHost) -> None:
    """A host that compares its metadata with its database finds no difference."""
    separate.create_own_tables()
    assert {*separate.db.metadata.tables} == {"user"}
    with separate.app.app_context():
        separate.db.create_all()
    assert separate.tables() == {"user"}
    assert separate.run("tables", "--create").exit_code == 0
    tell_story(separate.app)


def test_separate_metadata_has_foreign_keys_to_users(separate: BareHost) -> None:
    """The database itself detaches the repositories of a user deleted by raw SQL."""
    separate.create_own_tables()
    separate.create_tables()
    tell_story(separate.app)
    separate.execute("PRAGMA foreign_keys = ON", "DELETE FROM user")
    Repository = separate.registry.models.Repository
    with separate.app.app_context():
        owners = separate.db.session.scalars(sa.select(Repository.owner_id)).all()
        assert owners
        assert {*owners} == {None}


def test_separate_metadata_is_in_the_database_of_the_users(tmp_path: Path) -> None:
    """The registry's metadata gets the bind key of the host's."""
    db = database()

    class User(StandardUser, db.Model):
        __bind_key__ = "people"

    registry = Registry(db, User, metadata=sa.MetaData())
    app = Flask("forge", instance_path=str(tmp_path))
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite://", SQLALCHEMY_BINDS={"people": "sqlite://"}
    )
    db.init_app(app)
    with app.app_context():
        db.create_all()
        assert registry.create_tables()
        assert "oci_tag" in sa.inspect(db.engines["people"]).get_table_names()
        assert sa.inspect(db.engine).get_table_names() == []
        for engine in db.engines.values():
            engine.dispose()


def test_separate_metadata_follows_its_own_naming_convention(tmp_path: Path) -> None:
    """The naming convention and the schema are those of the passed metadata."""
    convention = {"pk": "first_%(table_name)s"}
    metadata = sa.MetaData(naming_convention=convention)
    host = BareHost(tmp_path, "sqlite://", metadata)
    keys = [table.primary_key.name for table in metadata.sorted_tables]
    assert "first_oci_tag" in keys
    assert host.db.metadata.naming_convention != convention


def check_processes(folder: Path, url: str, metadata: bool) -> None:
    """Check that processes that create the tables at once create each table once."""
    hosts = [
        BareHost(folder, url, sa.MetaData() if metadata else None)
        for _ in range(PROCESSES)
    ]
    try:
        hosts[0].create_own_tables()
        barrier = Barrier(PROCESSES)

        def create(host: BareHost) -> list[str]:
            barrier.wait()
            return host.create_tables()

        with ThreadPoolExecutor(PROCESSES) as pool:
            created = [*pool.map(create, hosts)]
        assert sorted(map(bool, created)) == [False] * (PROCESSES - 1) + [True]
        assert {"oci_tag", "oci_repository"} < hosts[0].tables()
        tell_story(hosts[0].app)
    finally:
        for host in hosts:
            host.close()


def test_create_tables_in_several_processes_creates_each_once(tmp_path: Path) -> None:
    """The processes wait for each other."""
    check_processes(tmp_path, f"sqlite:///{tmp_path}/forge.sqlite", metadata=False)


@pytest.mark.real
@pytest.mark.parametrize("metadata", [False, True], ids=["shared", "separate"])
@pytest.mark.parametrize("server", SERVERS)
def test_create_tables_on_database_server_creates_each_once(
    server: str, metadata: bool, tmp_path: Path
) -> None:
    """The same on database servers."""
    with SERVERS[server](durable=False) as url:
        check_processes(tmp_path, url, metadata)
