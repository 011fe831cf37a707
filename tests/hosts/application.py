"""Host applications without and with a registry."""

from __future__ import annotations

import typing as t
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_login import LoginManager
from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci import Registry
from tests.support.host import create_accounts
from tests.support.host import db as shared_db
from tests.support.host import login_manager
from tests.support.host import registry


class StandardUser(UserMixin):
    """The columns of a user model, for hosts that are special in another way."""

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(80), unique=True)
    password: Mapped[str] = mapped_column(sa.String(80))


def database(metadata: sa.MetaData | None = None, **options: t.Any) -> t.Any:
    """Return a Flask-SQLAlchemy with its own base, in the style of SQLAlchemy 2."""
    members = {"metadata": metadata} if metadata else {}
    base = type("Base", (DeclarativeBase,), members)
    return SQLAlchemy(model_class=base, **options)


def with_users(app: Flask, database_url: str) -> Flask:
    """Add the users of ``tests/support/host.py`` and their login to an application."""
    app.config.from_mapping(
        SECRET_KEY="only for tests", SQLALCHEMY_DATABASE_URI=database_url
    )
    shared_db.init_app(app)
    login_manager.init_app(app)
    create_accounts(app)
    return app


def with_registry(app: Flask, **options: t.Any) -> Flask:
    """Register the registry, its pages and its REST interface."""
    app.register_blueprint(registry.blueprint, **options)
    app.register_blueprint(registry.api_blueprint, **options)
    app.register_blueprint(registry.web_blueprint, url_prefix="/images", **options)
    return app


class Host:
    """An application with its own user model, made as the documentation describes.

    Its users are alice and bob, with the passwords of all tests.

    :param folder: for the blobs.
    :param db: Flask-SQLAlchemy, with any base.
    :param User: the model; each user has a ``password``.
    :param username: the attribute with the name.
    :param active: how the registry recognizes active users.
    :param login: whether it uses Flask-Login.
    :param databases: the URLs of its databases, first that of the default one.
    :param users: creates a user row, if it needs more than a name and a password.
    """

    def __init__(
        self,
        folder: Path,
        db: SQLAlchemy,
        User: type[t.Any],
        *,
        username: str = "username",
        active: t.Any = None,
        login: bool = True,
        prepare: t.Callable[[sa.Engine], None] | None = None,
        users: t.Callable[[str, str], t.Any] | None = None,
        **config: object,
    ) -> None:
        self.db = db
        self.User = User
        self.username = username
        self.app = Flask("forge", instance_path=str(folder))
        self.app.config.from_mapping(
            SECRET_KEY="only for tests", SQLALCHEMY_DATABASE_URI="sqlite://"
        )
        self.app.config.from_mapping(config)
        db.init_app(self.app)
        if login:
            manager = LoginManager(self.app)
            manager.user_loader(self.load)
        self.registry = Registry(db, User, username=username, active=active)
        self.registry.authenticate(self.check)
        self.registry.init_app(self.app)
        self.app.register_blueprint(self.registry.api_blueprint)
        with self.app.app_context():
            if prepare:
                prepare(db.engine)
            db.create_all()
            for name, password in (("alice", "wonderland"), ("bob", "builder")):
                make = users or self.make
                db.session.add(make(name, password))
            db.session.commit()

    def make(self, name: str, password: str) -> t.Any:
        """Create a user."""
        return self.User(**{self.username: name, "password": password})

    def load(self, user_id: str) -> t.Any:
        """Return the user with a key."""
        (column,) = sa.inspect(self.User).primary_key
        key = column.type.python_type(user_id)
        return self.db.session.get(self.User, key)

    def check(self, username: str, secret: str) -> t.Any:
        """Return the user if the password is correct, or None."""
        statement = sa.select(self.User).filter_by(**{self.username: username})
        user = self.db.session.scalar(statement)
        return user if user and user.password == secret else None

    def owner_of(self, name: str) -> t.Any:
        """Return the owner column of a repository."""
        with self.app.app_context():
            Repository = self.registry.models.Repository
            owner = sa.select(Repository.owner_id).where(Repository.name == name)
            return self.db.session.scalar(owner)

    def engine(self) -> sa.Engine:
        """Return the engine of the default database."""
        with self.app.app_context():
            return self.db.engine

    def close(self) -> None:
        """Close the connections."""
        with self.app.app_context():
            for engine in self.db.engines.values():
                engine.dispose()
