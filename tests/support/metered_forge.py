"""The example forge, with an address for Prometheus."""

from __future__ import annotations

from flask import Flask

import example_app
from example_app.registry import registry


def create_app() -> Flask:
    """Make the forge."""
    app = example_app.create_app()
    app.add_url_rule("/metrics", view_func=registry.metrics)
    return app
