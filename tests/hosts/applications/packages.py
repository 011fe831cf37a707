"""spkrepo, with a registry. It has Flask-Security and the debug toolbar."""

from __future__ import annotations

import os

from flask import Flask
from flask_security import hash_password
from flask_security.confirmable import confirm_user
from spkrepo import create_app as create_repository
from spkrepo.ext import db
from spkrepo.models import User
from spkrepo.models import user_datastore

from flask_oci import Registry

FOLDER = os.environ["FOLDER"]

registry = Registry(db, User)


@registry.authenticate
def check(username: str, secret: str) -> User | None:
    user = user_datastore.find_user(username=username)
    return user if user and user.verify_and_update_password(secret) else None


class Settings:
    """The settings of this application."""

    CACHE_TYPE = "NullCache"
    DATA_PATH = FOLDER
    OCI_STORAGE_PATH = f"{FOLDER}/oci"
    SQLALCHEMY_DATABASE_URI = f"sqlite:///{FOLDER}/packages.sqlite"
    SQLALCHEMY_ECHO = False


def create_app() -> Flask:
    app: Flask = create_repository(Settings)
    app.register_blueprint(registry.blueprint)
    app.register_blueprint(registry.web_blueprint, url_prefix="/images")
    return app


def set_up() -> None:
    """Create the tables and two users."""
    with create_app().app_context():
        db.create_all()
        for name, password in (("alice", "wonderland"), ("bob", "builder")):
            user = user_datastore.create_user(
                username=name,
                email=f"{name}@example.org",
                password=hash_password(password),
            )
            confirm_user(user)  # type: ignore[no-untyped-call]
        db.session.commit()


if __name__ == "__main__":
    set_up()
