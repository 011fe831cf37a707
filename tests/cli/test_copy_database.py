"""``flask oci copy-database`` from one SQLite database to another."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci import Registry
from flask_oci.testing import Faults

Run = t.Callable[..., t.Any]


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class User(db.Model):  # type: ignore[misc, name-defined]
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    manager_id: Mapped[int | None] = mapped_column(sa.ForeignKey("user.id"))


registry = Registry(db, User)


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> t.Iterator[Flask]:
    """An application whose first user refers to a later one."""
    app = Flask("staff", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/old.db"
    app.secret_key = "2f0e4cbb8d1a47c6a9d3b57e6f81c902"
    db.init_app(app)
    app.register_blueprint(registry.blueprint)
    with app.app_context():
        db.create_all()
        db.session.add_all([User(username="alice", manager_id=2), User(username="bob")])
        db.session.execute(sa.text("CREATE TABLE host_notes (text VARCHAR(20))"))
        db.session.execute(sa.text("CREATE TABLE alembic_version (version_num TEXT)"))
        db.session.execute(sa.text("INSERT INTO alembic_version VALUES ('1a2b')"))
        db.session.commit()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(name="run")
def _run(app: Flask) -> Run:
    """Run the command with a URL."""
    return lambda url: app.test_cli_runner().invoke(args=["oci", "copy-database", url])


def test_copy_has_rows_of_host_and_migrations(run: Run, tmp_path: Path) -> None:
    """Rows may refer to later rows of their table; other tables are named."""
    done = run(f"sqlite:///{tmp_path}/new.db")
    assert (done.exit_code, done.stdout) == (0, "Copied 3 rows of 39 tables.\n")
    assert "Not copied, because they have no model: host_notes." in done.stderr
    users = [(1, "alice", 2), (2, "bob", None)]
    assert select(tmp_path, "SELECT id, username, manager_id FROM user") == users
    assert select(tmp_path, "SELECT * FROM alembic_version") == [("1a2b",)]


@pytest.mark.parametrize("at", [0, 20, 40])
def test_failing_copy_leaves_new_database_without_tables(
    app: Flask, run: Run, tmp_path: Path, at: int
) -> None:
    """The command can be repeated, and then succeeds."""
    url = f"sqlite:///{tmp_path}/new.db"
    with Faults(app).database(at) as fault:
        done = run(url)
    assert fault.happened
    assert done.exit_code == 2
    assert "The database does not respond." in done.stderr
    assert select(tmp_path, "SELECT name FROM sqlite_master") == []
    assert run(url).exit_code == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nowhere", "Invalid URL of a database"),
        ("mssql+missing://localhost", "Invalid URL of a database"),
        ("sqlite:////nowhere/new.db", "The list of tables in the new database failed"),
        ("sqlite:///{}/old.db", "The new database has tables already"),
    ],
)
def test_copy_refuses_unsuitable_database(
    run: Run, tmp_path: Path, url: str, message: str
) -> None:
    """The message says what to do."""
    done = run(url.format(tmp_path))
    assert done.exit_code == 1
    assert message in done.stderr
    assert "Traceback" not in done.output


def select(folder: Path, statement: str) -> list[tuple[t.Any, ...]]:
    """Return the rows of a statement in the new database."""
    engine = sa.create_engine(f"sqlite:///{folder}/new.db", poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]
