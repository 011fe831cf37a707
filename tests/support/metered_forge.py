"""The example forge with a metrics endpoint for Prometheus."""

from __future__ import annotations

from flask import Flask

import example_app
from example_app.registry import registry


def create_app() -> Flask:
    """Create the forge."""
    app = example_app.create_app()
    app.add_url_rule("/metrics", view_func=registry.metrics)
    return app
