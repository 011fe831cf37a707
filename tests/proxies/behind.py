"""The example forge, told that there is a proxy in front, as the page on deployment
says."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import example_app


def create_app() -> Flask:
    """Make the forge."""
    app = example_app.create_app()
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=1, x_proto=1, x_host=1
    )
    return app
