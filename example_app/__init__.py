"""A small forge: users, their projects, and a container registry at /v2."""

from __future__ import annotations

import os
import typing as t

from flask import Config
from flask import Flask
from flask_wtf import CSRFProtect

from .first_start import prepare
from .first_start import secret_key
from .models import db
from .registry import registry
from .views import error_page
from .views import login_manager
from .views import views

csrf = CSRFProtect()


def create_app(config: dict[str, t.Any] | None = None) -> Flask:
    """Create the forge; `config` overrides the environment."""
    # Database, blobs and secret key live in the instance folder. None leaves the
    # choice to Flask, which takes `instance` beside this package.
    folder = os.environ.get("EXAMPLE_INSTANCE")
    app = Flask(__name__, instance_path=os.path.abspath(folder) if folder else None)
    # Only this account may read password hashes and private images.
    os.makedirs(app.instance_path, mode=0o700, exist_ok=True)

    app.config.update(
        # Flask-SQLAlchemy puts a relative SQLite file into the instance folder.
        SQLALCHEMY_DATABASE_URI=os.environ.get("DATABASE_URL", "sqlite:///forge.db"),
        SECRET_KEY=os.environ.get("SECRET_KEY"),
        # The registry's pages extend a template of this forge.
        OCI_WEB_BASE_TEMPLATE="images.html",
        # The functions in registry.py and `load_user` ask `db.session`, and nothing
        # else, so their results hold until their statements return other rows.
        OCI_CACHE_POLICY="statements",
        # Retention, collection and webhooks run in a thread of each server process.
        OCI_WORK="thread",
        # Images of Docker Hub, as /hub/library/alpine: remove the "#" of this line.
        # OCI_UPSTREAMS={"hub": "docker.io"},
        # Jobs of GitHub Actions log in without a secret: remove the "#" of these lines.
        # OCI_EXTERNAL_URL="https://forge.example.org",
        # OCI_OIDC_ISSUERS={"https://token.actions.githubusercontent.com": "github"},
        SESSION_COOKIE_SAMESITE="Lax",
    )
    # The registry's settings keep their full names. Valid JSON is read as JSON:
    # OCI_ALLOW_SPARSE=true is True.
    environment = Config(app.root_path)
    environment.from_prefixed_env("OCI")
    app.config.update({f"OCI_{key}": value for key, value in environment.items()})
    app.config.update(config or {})
    app.secret_key = app.secret_key or secret_key(app.instance_path)

    db.init_app(app)
    login_manager.init_app(app)
    csrf.init_app(app)
    app.register_blueprint(views)
    app.register_blueprint(registry.blueprint)  # The one line: docker lives at /v2.
    app.register_blueprint(registry.web_blueprint, url_prefix="/images")
    app.register_blueprint(registry.api_blueprint)
    for status in (400, 403, 404, 405):
        app.register_error_handler(status, error_page)

    with app.app_context():
        prepare(app.instance_path)
    return app
