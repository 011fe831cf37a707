"""The example forge, configured for a proxy as on the deployment page."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import example_app


def create_app() -> Flask:
    """Create the forge."""
    app = example_app.create_app()
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=1, x_proto=1, x_host=1
    )
    return app
