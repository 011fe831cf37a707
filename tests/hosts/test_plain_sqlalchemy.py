"""A host that uses SQLAlchemy without Flask-SQLAlchemy."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import sessionmaker

from flask_oci import Registry
from tests.support.database_servers import SERVERS

from .application import StandardUser
from .docker import Docker
from .docker import tell_story


@dataclass(frozen=True)
class PlainHost:
    """The parts of the application."""

    app: Flask
    registry: Registry
    Session: sessionmaker[t.Any]
    User: type[t.Any]
    engines: list[sa.Engine]

    def close(self) -> None:
        """Close the connections."""
        for engine in self.engines:
            engine.dispose()


def made(folder: Path, url: str) -> PlainHost:
    """Make the application as the documentation describes."""
    engine = sa.create_engine(url)
    Session = sessionmaker(engine, expire_on_commit=False)

    class Base(DeclarativeBase):
        pass

    class User(StandardUser, Base):
        __tablename__ = "people"

    Base.metadata.create_all(engine)
    with Session.begin() as session:
        session.add(User(username="alice", password="wonderland"))
        session.add(User(username="bob", password="builder"))

    app = Flask("forge", instance_path=str(folder))
    app.config["SECRET_KEY"] = "only for tests"
    app.config["SQLALCHEMY_DATABASE_URI"] = engine.url
    db = SQLAlchemy(app)
    registry = Registry(db, User)

    @registry.authenticate
    def check(username: str, secret: str) -> User | None:
        with Session() as session:
            user = session.scalar(sa.select(User).filter_by(username=username))
        return user if user and user.password == secret else None

    def load(key: str) -> User | None:
        with Session() as session:
            return session.get(User, int(key))

    LoginManager(app).user_loader(load)
    app.register_blueprint(registry.blueprint)
    app.register_blueprint(registry.api_blueprint)
    with app.app_context():
        return PlainHost(app, registry, Session, User, [engine, db.engine])


def check_host(folder: Path, url: str) -> None:
    """Check a push and a pull, and the deletion of a user by the host's session."""
    host = made(folder, url)
    try:
        done = host.app.test_cli_runner().invoke(args=["oci", "tables", "--create"])
        assert done.exit_code == 0, done.output
        tell_story(host.app)
        Docker(host.app, "alice").push("alice/app", "v1")
        with host.Session.begin() as session:
            session.delete(session.scalars(sa.select(host.User)).first())
        with host.app.app_context():
            assert host.registry.repositories.find("alice/app").owner_id is None
    finally:
        host.close()


@pytest.mark.shape("SQLAlchemy without Flask-SQLAlchemy")
def test_host_with_plain_sqlalchemy_works(tmp_path: Path) -> None:
    """The registry has sessions of its own on the same database."""
    check_host(tmp_path, f"sqlite:///{tmp_path}/forge.sqlite")


@pytest.mark.real
@pytest.mark.parametrize("server", SERVERS)
def test_host_with_plain_sqlalchemy_works_on_database_server(
    server: str, tmp_path: Path
) -> None:
    """The same on database servers."""
    with SERVERS[server](durable=False) as url:
        check_host(tmp_path, url)
