"""The measured application: users, Flask-Login and a registry.

Its settings are those of a real application: a secret key, authentication, and a
database with durable commits.
"""

from __future__ import annotations

import json
import os
import sqlite3

import sqlalchemy as sa
from flask import Flask
from flask_login import LoginManager
from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci import Registry


class Base(DeclarativeBase):
    """The declarative base of all tables."""


db = SQLAlchemy(model_class=Base)
login_manager = LoginManager()


class User(UserMixin, db.Model):  # type: ignore[misc, name-defined]
    """A user who pushes and pulls."""

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(64), unique=True)


registry = Registry(db, User)


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_user(user_id: str) -> User | None:
    """Return the user of a session or token."""
    return db.session.get(User, int(user_id))


@registry.authenticate
def check(username: str, secret: str) -> None:
    """Accept no password. The benchmarks log in with access tokens, as machines do, so
    they do not measure the hash of a password."""


def create_app() -> Flask:
    """Create the application for ``BENCHMARK_FOLDER`` and ``BENCHMARK_DATABASE``, with
    the settings of ``BENCHMARK_SETTINGS``, a JSON object."""
    app = Flask("benchmark", instance_path=os.environ["BENCHMARK_FOLDER"])
    app.config.update(
        SECRET_KEY="for as long as it is measured",
        OCI_CACHE_POLICY="statements",
        SQLALCHEMY_DATABASE_URI=os.environ["BENCHMARK_DATABASE"],
    )
    app.config.update(json.loads(os.environ.get("BENCHMARK_SETTINGS", "{}")))
    db.init_app(app)
    login_manager.init_app(app)
    app.register_blueprint(registry.blueprint)
    with app.app_context():
        sa.event.listen(db.engine, "connect", _tune)
    return app


def _tune(connection: object, record: object) -> None:
    """Set up SQLite as the documentation and the example do."""
    if isinstance(connection, sqlite3.Connection):
        connection.executescript(
            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL;"
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        )
