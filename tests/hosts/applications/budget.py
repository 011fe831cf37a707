"""I Hate Money, with a registry. Its users are projects, without Flask-Login."""

from __future__ import annotations

import os

from flask import Flask
from ihatemoney.models import db
from ihatemoney.models import Project
from ihatemoney.run import create_app as create_budget
from werkzeug.security import check_password_hash
from werkzeug.security import generate_password_hash

from flask_oci import Registry

FOLDER = os.environ["FOLDER"]

registry = Registry(db, Project, username="id")


@registry.authenticate
def check(username: str, secret: str) -> Project | None:
    project = db.session.get(Project, username)
    return (
        project if project and check_password_hash(project.password, secret) else None
    )


class Settings:
    """The settings of this application."""

    SECRET_KEY = "only for tests"
    SQLALCHEMY_DATABASE_URI = f"sqlite:///{FOLDER}/budget.sqlite"


def create_app() -> Flask:
    app: Flask = create_budget(Settings, instance_path=FOLDER)
    app.register_blueprint(registry.blueprint)
    app.register_blueprint(registry.web_blueprint, url_prefix="/images")
    return app


def set_up() -> None:
    """Create the tables and two projects."""
    with create_app().app_context():
        db.create_all()
        for name, password in (("alice", "wonderland"), ("bob", "builder")):
            hashed = generate_password_hash(password)
            db.session.add(Project(id=name, name=name, password=hashed))
        db.session.commit()


if __name__ == "__main__":
    set_up()
