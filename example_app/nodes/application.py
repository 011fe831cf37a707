"""The forge of a node, behind the nginx of nginx.conf."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from .. import create_app as create_forge


def create_app() -> Flask:
    """Create the forge, for a worker process or a command."""
    # A connection for each thread, which survives a restart of the database.
    options = {"pool_size": 8, "pool_pre_ping": True}
    app = create_forge({"SQLALCHEMY_ENGINE_OPTIONS": options})
    # nginx sets these headers. Without nginx, any client could forge them.
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=1, x_proto=1, x_host=1
    )
    return app
